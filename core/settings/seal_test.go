package settings_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/settings"
)

// masterKey returns a master key that differs by name.
func masterKey(name string) []byte {
	sum := sha256.Sum256([]byte(name))
	return sum[:]
}

// sealer returns a Sealer over the named master keys.
func sealer(t testing.TB, names ...string) *settings.Sealer {
	t.Helper()
	keys := make([][]byte, len(names))
	for i, n := range names {
		keys[i] = masterKey(n)
	}
	s, err := settings.NewSealer(keys...)
	if err != nil {
		t.Fatalf("NewSealer(%v): %v", names, err)
	}
	return s
}

// code returns the code of the fault in err, "" for nil, "?" for other errors.
func code(err error) string {
	if err == nil {
		return ""
	}
	if f, ok := errors.AsType[*fault.Fault](err); ok {
		return f.Code
	}
	return "?"
}

func TestSealOpens(t *testing.T) {
	s := sealer(t, "a")
	for _, plain := range []string{"", "x", "correct horse battery staple", strings.Repeat("long ", 20_000)} {
		sealed, err := s.Seal([]byte(plain), []byte("here"))
		if err != nil {
			t.Fatal(err)
		}
		if len(plain) > 1 && bytes.Contains(sealed, []byte(plain)) {
			t.Errorf("the sealed form of %.20q contains it", plain)
		}
		if got := len(sealed) - len(plain); got != 97 {
			t.Errorf("sealing adds %d bytes; documented are 97", got)
		}
		got, err := s.Open(sealed, []byte("here"))
		if err != nil || string(got) != plain {
			t.Errorf("Open gave %.20q, %v; want %.20q", got, err, plain)
		}
	}
}

func TestSealNeverRepeats(t *testing.T) {
	s := sealer(t, "a")
	one, _ := s.Seal([]byte("same"), nil)
	two, _ := s.Seal([]byte("same"), nil)
	// After the 9 bytes that name version and key nothing may be alike.
	if bytes.Equal(one[9:21], two[9:21]) || bytes.Equal(one[69:81], two[69:81]) || bytes.Equal(one[81:], two[81:]) {
		t.Error("two seals of one value share a nonce or a ciphertext")
	}
}

func TestOpenRefuses(t *testing.T) {
	s := sealer(t, "a")
	sealed, _ := s.Seal([]byte("secret"), []byte("here"))
	edit := func(i int) []byte { b := bytes.Clone(sealed); b[i] ^= 1; return b }
	for _, row := range []struct {
		name   string
		sealed []byte
		aad    string
		want   string
	}{
		{"another place", sealed, "there", "seal.damaged"},
		{"no place", sealed, "", "seal.damaged"},
		{"nothing", nil, "here", "seal.damaged"},
		{"cut by one byte", sealed[:len(sealed)-1], "here", "seal.damaged"},
		{"cut to the header", sealed[:9], "here", "seal.damaged"},
		{"one byte more", append(bytes.Clone(sealed), 0), "here", "seal.damaged"},
		{"another version", edit(0), "here", "seal.damaged"},
		{"another key id", edit(1), "here", "seal.unknown_key"},
		{"a changed wrapped key", edit(30), "here", "seal.damaged"},
		{"a changed body", edit(len(sealed) - 20), "here", "seal.damaged"},
	} {
		if plain, err := s.Open(row.sealed, []byte(row.aad)); code(err) != row.want || plain != nil {
			t.Errorf("%s: Open gave %q, %v; want the fault %s", row.name, plain, err, row.want)
		}
	}
	if _, err := sealer(t, "b").Open(sealed, []byte("here")); code(err) != "seal.unknown_key" {
		t.Errorf("a core with another master key got %v; want seal.unknown_key", err)
	}
}

// A body moved behind another value's wrapped key must not open.
func TestOpenRefusesMixedParts(t *testing.T) {
	s := sealer(t, "a")
	one, _ := s.Seal([]byte("one"), nil)
	two, _ := s.Seal([]byte("two"), nil)
	if _, err := s.Open(append(bytes.Clone(one[:69]), two[69:]...), nil); code(err) != "seal.damaged" {
		t.Errorf("a body under another data key gave %v; want seal.damaged", err)
	}
}

func TestDerive(t *testing.T) {
	s := sealer(t, "a", "b")
	one := s.Derive("cookies", 32)
	for name, other := range map[string][]byte{
		"another purpose":                s.Derive("cookie", 32),
		"another master key":             sealer(t, "b", "a").Derive("cookies", 32),
		"the digest of the same purpose": []byte(s.Digest("cookies", nil)),
	} {
		if bytes.Equal(one, other) {
			t.Errorf("%s derives the same bytes", name)
		}
	}
	if !bytes.Equal(one, sealer(t, "a").Derive("cookies", 32)) {
		t.Error("the same key and purpose derive other bytes; want the same for ever")
	}
	if got := len(s.Derive("long", 100)); got != 100 {
		t.Errorf("asked for 100 bytes, got %d", got)
	}
}

func TestDigest(t *testing.T) {
	s := sealer(t, "a")
	d := s.Digest("p", []byte("hunter2"))
	if d != s.Digest("p", []byte("hunter2")) {
		t.Error("the same data has two digests")
	}
	all := []string{d, s.Digest("p", []byte("hunter3")), s.Digest("q", []byte("hunter2")), sealer(t, "b").Digest("p", []byte("hunter2"))}
	slices.Sort(all)
	if len(slices.Compact(all)) != 4 {
		t.Error("other data, another purpose or another key has the same digest")
	}
	if !strings.HasPrefix(d, "hmac-sha256:") || len(d) != len("hmac-sha256:")+16+1+64 {
		t.Errorf("the digest reads %q", d)
	}
}

func TestNewSealerRefuses(t *testing.T) {
	for _, row := range []struct {
		name string
		keys [][]byte
		want string
	}{
		{"no key", nil, "master_key.missing"},
		{"31 bytes", [][]byte{masterKey("a")[:31]}, "master_key.size"},
		{"an empty key", [][]byte{{}}, "master_key.size"},
		{"all zero", [][]byte{make([]byte, 32)}, "master_key.weak"},
		{"the same twice", [][]byte{masterKey("a"), masterKey("a")}, "master_key.repeated"},
	} {
		if _, err := settings.NewSealer(row.keys...); code(err) != row.want {
			t.Errorf("%s: %v; want %s", row.name, err, row.want)
		}
	}
}

func FuzzOpen(f *testing.F) {
	s := sealer(f, "a")
	good, _ := s.Seal([]byte("secret"), []byte("here"))
	f.Add(good, []byte("here"), 0)
	f.Add(good[:97], []byte("here"), 40)
	f.Add([]byte{1}, []byte{}, 100)
	f.Fuzz(func(t *testing.T, sealed, aad []byte, at int) {
		// Every process of a fuzzing run seals anew: what opens was made by one of them.
		if plain, err := s.Open(sealed, aad); err == nil && (string(plain) != "secret" || string(aad) != "here") {
			t.Errorf("a forgery opened to %q", plain)
		}
		bad := bytes.Clone(good)
		bad[uint(at)%uint(len(bad))] ^= byte(at>>16) | 1
		if plain, err := s.Open(bad, []byte("here")); err == nil {
			t.Errorf("with one byte changed it opened to %q", plain)
		}
	})
}
