package journal

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"regexp"
	"strings"
	"time"
)

// The streams of a plugin.
const (
	Stdout = "stdout"
	Stderr = "stderr"
)

// Line is one line that a plugin wrote.
type Line struct {
	Seq      uint64    `json:"seq"` // rises by one a line, for each plugin
	At       time.Time `json:"at"`
	Instance string    `json:"instance"`
	Stream   string    `json:"stream"`
	Text     string    `json:"text"`          // without its line break; invalid UTF-8 replaced
	Cut      bool      `json:"cut,omitempty"` // it goes on in the next
}

// MaxLine is how many bytes of a line make one; what follows is the next.
const MaxLine = 16 << 10

// Scan calls take with every line of r until it ends. A longer line than MaxLine
// is taken in pieces, so that no plugin makes the core hold more.
func Scan(r io.Reader, stream string, take func(Line)) {
	in := bufio.NewReaderSize(r, MaxLine)
	for {
		piece, err := in.ReadSlice('\n')
		cut := errors.Is(err, bufio.ErrBufferFull)
		if len(piece) > 0 {
			text := bytes.TrimSuffix(bytes.TrimSuffix(piece, []byte("\n")), []byte("\r"))
			take(Line{At: time.Now().UTC(), Stream: stream, Text: strings.ToValidUTF8(string(text), "\uFFFD"), Cut: cut})
		}
		if err != nil && !cut {
			return
		}
	}
}

// secrets are texts that open something, wherever they stand: tokens and keys of
// this core, signed tokens, what follows Bearer or Basic, and private keys.
var secrets = regexp.MustCompile(`(?i:\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}|\bvv[a-z]?_[A-Za-z0-9_-]{16,}|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*|-----BEGIN [A-Z ]*PRIVATE KEY-----.*`)

// hints are what one of them contains, in lower case, so that most lines need no search.
var hints = []string{"bearer", "basic", "vv", "eyj", "-----begin"}

// scrub takes out what must not be kept.
func scrub(text string) string {
	lower := strings.ToLower(text)
	for _, hint := range hints {
		if strings.Contains(lower, hint) {
			return secrets.ReplaceAllString(text, "[secret removed]")
		}
	}
	return text
}
