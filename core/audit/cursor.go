package audit

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"

	"github.com/google/uuid"
)

// cursor is a place in the list newest first: after this record.
type cursor struct {
	at time.Time
	id uuid.UUID
}

const cursorVersion = 1

var errCursor = errors.New("not a cursor")

// String returns the cursor as clients carry it.
func (c cursor) String() string {
	b := []byte{cursorVersion}
	b = binary.BigEndian.AppendUint64(b, uint64(c.at.UnixMicro()))
	return base64.RawURLEncoding.EncodeToString(append(b, c.id[:]...))
}

// parseCursor reads what String wrote and nothing else. A cursor holds no
// secret and opens nothing: every page is filtered like the first.
func parseCursor(s string) (*cursor, error) {
	if s == "" {
		return nil, nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != 25 || b[0] != cursorVersion {
		return nil, errCursor
	}
	c := &cursor{at: time.UnixMicro(int64(binary.BigEndian.Uint64(b[1:]))).UTC(), id: uuid.UUID(b[9:])}
	if y := c.at.Year(); y < 2000 || y > 9999 || c.String() != s {
		return nil, errCursor
	}
	return c, nil
}
