package vivified_test

import (
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	vivified "github.com/vivified/vivified/sdk/go"
)

func TestReadingAStream(t *testing.T) {
	for _, row := range []struct {
		name, stream string
		want         [][3]string
	}{
		{"one message", "id: 1\nevent: a\ndata: x\n\n", [][3]string{{"1", "a", "x"}}},
		{"several data lines", "data: x\ndata:y\ndata\n\n", [][3]string{{"", "", "x\ny\n"}}},
		{"every line ending", "data: x\r\n\r\ndata: y\r\rdata: z\n\n", [][3]string{{"", "", "x"}, {"", "", "y"}, {"", "", "z"}}},
		{"comments and unknown fields", ": hello\nretry: 3\nfoo\ndata: x\n\n", [][3]string{{"", "", "x"}}},
		{"a message without data is none", "id: 1\nevent: a\n\ndata: x\n\n", [][3]string{{"", "", "x"}}},
		{"an unfinished message is none", "data: x\n", nil},
		{"an id with a zero byte is none", "id: 1\x002\ndata: x\n\n", [][3]string{{"", "", "x"}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := vivified.ReadMessages(strings.NewReader(row.stream), 1000)
			if err != io.EOF || !reflect.DeepEqual(got, row.want) {
				t.Errorf("read %q, %v; want %q, EOF", got, err, row.want)
			}
		})
	}
	for _, long := range []string{"data: " + strings.Repeat("x", 2000) + "\n\n", strings.Repeat("data: xxxxxxxxxxxxxxxx\n", 100) + "\n"} {
		if _, err := vivified.ReadMessages(strings.NewReader(long), 1000); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("a message beyond the limit ended with %v, want a refusal", err)
		}
	}
}

func TestPatternsCoverTypesInEitherStyle(t *testing.T) {
	for _, row := range []struct {
		pattern, eventType string
		want               bool
	}{
		{"user.created", "user.created", true},
		{"UserCreated", "user.created", true},
		{"User.Created", "user.created", true},
		{"PHIRead", "phi.read", true},
		{"user.*", "user.role.changed", true},
		{"user.*", "user.role.*", true},
		{"user.*", "user", false},
		{"user.*", "users.created", false},
		{"user.created", "user.created.twice", false},
		{"*", "user.created", true},
	} {
		if got := vivified.Covers(row.pattern, row.eventType); got != row.want {
			t.Errorf("%s covers %s: %v, want %v", row.pattern, row.eventType, got, row.want)
		}
	}
}

func FuzzReadMessages(f *testing.F) {
	f.Add("id: 1\nevent: a\ndata: x\r\n\r\n: c\n\n")
	f.Fuzz(func(t *testing.T, stream string) {
		all, err := vivified.ReadMessages(strings.NewReader(stream), 4096)
		if err == nil {
			t.Error("the reader ended without saying why")
		}
		for _, m := range all {
			if len(m[2]) > 4096+4096 {
				t.Errorf("a message of %d bytes passed the limit", len(m[2]))
			}
		}
	})
}

func FuzzKeysAndTokens(f *testing.F) {
	f.Add(`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"AAAA"}]}`)
	f.Add("eyJhdWQiOiJ4In0")
	f.Fuzz(func(_ *testing.T, text string) {
		vivified.CountKeys([]byte(text))
		vivified.TokenPart(text)
	})
}
