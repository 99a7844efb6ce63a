package audit

import (
	"encoding/binary"
	"errors"
	"math"
	"time"
	"unsafe"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// wire asks for every column in PostgreSQL's binary format, which [decoder] reads.
var wire = pgx.QueryResultFormats{pgx.BinaryFormatCode}

var errColumn = errors.New("a column holds what no record has in it")

// decoder reads rows of columns, one after the other, into the same record: that of a
// row borrows the row's memory and is gone with the next. Whoever reads millions of
// rows, each once, makes no garbage with it.
type decoder struct{ record Record }

// read returns the record of a row. After an error Seq is still right, if it was there.
func (d *decoder) read(values [][]byte) (*Record, error) {
	r := &d.record
	c := columnReader{values: values}
	r.ID = c.uuid(c.some())
	r.Call = c.uuid(c.next())
	r.Chain = c.text()
	r.Seq = c.int()
	r.At = c.time()
	for _, text := range [...]*string{
		&r.Tenant, &r.ActorKind, &r.ActorID, &r.ActorName, &r.OnBehalfID, &r.OnBehalfName, &r.Credential, &r.Plugin, &r.ObjectPlugin,
	} {
		*text = c.text()
	}
	r.Receivers = c.texts(c.next(), r.Receivers[:0])
	r.Action, r.Object, r.Outcome, r.Rule = c.text(), c.text(), Outcome(c.text()), c.text()
	r.Classes = c.texts(c.some(), r.Classes[:0])
	r.Trace, r.Address, r.Replica = c.text(), c.text(), c.text()
	r.Detail, r.Before, r.After = c.json(), c.json(), c.json()
	r.PrevHash, r.Hash = c.some(), c.some()
	if c.bad || len(c.values) != 0 {
		return r, errColumn
	}
	return r, nil
}

// columnReader takes the columns of a row from left to right. nil is NULL.
type columnReader struct {
	values [][]byte
	bad    bool // one of them was not of its type
}

func (c *columnReader) next() []byte {
	if len(c.values) == 0 {
		c.bad = true
		return nil
	}
	v := c.values[0]
	c.values = c.values[1:]
	return v
}

// some is next where NULL cannot be.
func (c *columnReader) some() []byte {
	v := c.next()
	c.bad = c.bad || v == nil
	return v
}

// borrow returns b as text without copying it: the text lasts as long as b does.
func borrow(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

func (c *columnReader) text() string { return borrow(c.some()) }

func (c *columnReader) uuid(v []byte) (id uuid.UUID) {
	if v != nil && copy(id[:], v) != len(id) {
		c.bad = true
	}
	return id
}

func (c *columnReader) int() int64 {
	v := c.some()
	if len(v) != 8 {
		c.bad = true
		return 0
	}
	return int64(binary.BigEndian.Uint64(v))
}

func (c *columnReader) time() time.Time {
	micros := c.int()
	if micros == math.MaxInt64 || micros == math.MinInt64 { // infinity
		c.bad = true
		return time.Time{}
	}
	return time.UnixMicro(epoch.UnixMicro() + micros).UTC()
}

// json takes a jsonb, version 1.
func (c *columnReader) json() []byte {
	v := c.next()
	switch {
	case v == nil:
		return nil
	case len(v) < 2 || v[0] != 1:
		c.bad = true
		return nil
	}
	return v[1:]
}

// texts reads a text[] of at most one dimension and appends it to list; nil is NULL.
func (c *columnReader) texts(v []byte, list []string) []string {
	if v == nil {
		return nil
	}
	word := func() int {
		if len(v) < 4 {
			c.bad = true
			return 0
		}
		n := int(int32(binary.BigEndian.Uint32(v)))
		v = v[4:]
		return n
	}
	dimensions, _, _ := word(), word(), word() // and whether there are NULLs, and the type
	if list == nil {
		list = []string{}
	}
	if dimensions == 0 {
		return list
	}
	n, lower := word(), word()
	if dimensions != 1 || lower != 1 {
		c.bad = true
		return list
	}
	for ; n > 0 && !c.bad; n-- {
		size := word()
		if size < 0 || size > len(v) {
			c.bad = true
			return list
		}
		list = append(list, borrow(v[:size]))
		v = v[size:]
	}
	return list
}
