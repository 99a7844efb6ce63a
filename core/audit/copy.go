package audit

import (
	"encoding/binary"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"
)

// copyStatement copies rows in PostgreSQL's binary format (manual, COPY, "Binary
// Format"). Every field goes with its length, so no text can end a field.
const copyStatement = "COPY audit_log (" + columns + ") FROM STDIN (FORMAT binary)"

// copyHeader is the signature, then no flags and no extension.
const copyHeader = "PGCOPY\n\xff\r\n\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00"

// copyTrailer ends the rows.
const copyTrailer = "\xff\xff"

// copyNull is the length of a NULL.
const copyNull = 0xFFFFFFFF

// epoch is PostgreSQL's.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// appendCopy appends the row as one tuple, its fields in the order of columns.
func (r *Record) appendCopy(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, numColumns)
	b = copyBytes(b, r.ID[:])
	if r.Call == uuid.Nil {
		b = binary.BigEndian.AppendUint32(b, copyNull)
	} else {
		b = copyBytes(b, r.Call[:])
	}
	b = copyText(b, r.Chain)
	b = copyInt(b, r.Seq)
	b = copyInt(b, r.At.Sub(epoch).Microseconds())
	for _, text := range [...]string{
		r.Tenant, r.ActorKind, r.ActorID, r.ActorName, r.OnBehalfID, r.OnBehalfName,
		r.Credential, r.Plugin, r.ObjectPlugin,
	} {
		b = copyText(b, text)
	}
	b = copyTexts(b, r.Receivers)
	for _, text := range [...]string{r.Action, r.Object, string(r.Outcome), r.Rule} {
		b = copyText(b, text)
	}
	b = copyTexts(b, append([]string{}, r.Classes...))
	for _, text := range [...]string{r.Trace, r.Address, r.Replica} {
		b = copyText(b, text)
	}
	for _, value := range [...][]byte{r.Detail, r.Before, r.After} {
		b = copyJSON(b, value)
	}
	return copyBytes(copyBytes(b, r.PrevHash), r.Hash)
}

func copyBytes(b, value []byte) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(value))), value...)
}

func copyText(b []byte, value string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(value))), value...)
}

func copyInt(b []byte, value int64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(b, 8), uint64(value))
}

// copyJSON writes a jsonb, version 1; nil is NULL.
func copyJSON(b, value []byte) []byte {
	if value == nil {
		return binary.BigEndian.AppendUint32(b, copyNull)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(value)+1))
	return append(append(b, 1), value...)
}

// copyTexts writes a text[]; nil is NULL.
func copyTexts(b []byte, list []string) []byte {
	if list == nil {
		return binary.BigEndian.AppendUint32(b, copyNull)
	}
	at := len(b)
	b = binary.BigEndian.AppendUint32(b, 0)
	if len(list) == 0 {
		b = binary.BigEndian.AppendUint32(b, 0) // dimensions
	} else {
		b = binary.BigEndian.AppendUint32(b, 1)
	}
	b = binary.BigEndian.AppendUint32(b, 0) // no NULL inside
	b = binary.BigEndian.AppendUint32(b, pgtype.TextOID)
	if len(list) > 0 {
		b = binary.BigEndian.AppendUint32(b, uint32(len(list)))
		b = binary.BigEndian.AppendUint32(b, 1) // lower bound
		for _, text := range list {
			b = copyText(b, text)
		}
	}
	binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	return b
}
