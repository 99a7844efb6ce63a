package audit

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// timeLayout is RFC 3339 in UTC with whole microseconds, the form that is hashed.
const timeLayout = "2006-01-02T15:04:05.000000Z"

// columns are those of audit_log in the order in which rows are copied and read.
const columns = "id, call, chain, seq, at, tenant_id, actor_kind, actor_id, actor_name, on_behalf_id, on_behalf_name, " +
	"credential, plugin_id, object_plugin, receivers, action, object, outcome, rule, classes, trace, address, replica, " +
	"detail, before, after, prev_hash, hash"

// numColumns is how many they are.
const numColumns = 28

// scan reads a row of columns. It is a pgx.RowToFunc.
func scan(row pgx.CollectableRow) (Record, error) { return scanWith(row) }

// scanWith reads a row of columns and what follows them.
func scanWith(row pgx.CollectableRow, more ...any) (Record, error) {
	var (
		r    Record
		call *uuid.UUID
	)
	err := row.Scan(append([]any{&r.ID, &call, &r.Chain, &r.Seq, &r.At, &r.Tenant, &r.ActorKind, &r.ActorID, &r.ActorName,
		&r.OnBehalfID, &r.OnBehalfName, &r.Credential, &r.Plugin, &r.ObjectPlugin, &r.Receivers, &r.Action, &r.Object,
		&r.Outcome, &r.Rule, &r.Classes, &r.Trace, &r.Address, &r.Replica, (*[]byte)(&r.Detail), (*[]byte)(&r.Before), (*[]byte)(&r.After), &r.PrevHash, &r.Hash}, more...)...)
	if call != nil {
		r.Call = *call
	}
	r.At = r.At.UTC()
	return r, err
}

// appendColumns appends the row as a JCS object: without prev_hash and hash as
// it is hashed, with them as it is exported. s reads what is JSON.
func (r *Record) appendColumns(s *scanner, b []byte, hashes bool) ([]byte, error) {
	var err error
	text := func(name, value string) { b = appendString(append(b, name...), value) }
	value := func(name string, raw json.RawMessage) {
		b = append(b, name...)
		if raw == nil {
			b = append(b, "null"...)
			return
		}
		c, cerr := s.canonical(b, raw)
		if cerr != nil {
			err = cerr
		}
		b = c
	}
	text(`{"action":`, r.Action)
	text(`,"actor_id":`, r.ActorID)
	text(`,"actor_kind":`, r.ActorKind)
	text(`,"actor_name":`, r.ActorName)
	text(`,"address":`, r.Address)
	value(`,"after":`, r.After)
	b = append(b, `,"at":"`...)
	b = r.At.UTC().Truncate(time.Microsecond).AppendFormat(b, timeLayout)
	b = append(b, '"')
	value(`,"before":`, r.Before)
	if r.Call == uuid.Nil {
		b = append(b, `,"call":null`...)
	} else {
		b = appendUUID(append(b, `,"call":`...), r.Call)
	}
	text(`,"chain":`, r.Chain)
	b = appendStrings(append(b, `,"classes":`...), r.Classes)
	text(`,"credential":`, r.Credential)
	value(`,"detail":`, r.Detail)
	if hashes {
		b = appendBytes(append(b, `,"hash":`...), r.Hash)
	}
	b = appendUUID(append(b, `,"id":`...), r.ID)
	text(`,"object":`, r.Object)
	text(`,"object_plugin":`, r.ObjectPlugin)
	text(`,"on_behalf_id":`, r.OnBehalfID)
	text(`,"on_behalf_name":`, r.OnBehalfName)
	text(`,"outcome":`, string(r.Outcome))
	text(`,"plugin_id":`, r.Plugin)
	if hashes {
		b = appendBytes(append(b, `,"prev_hash":`...), r.PrevHash)
	}
	if r.Receivers == nil {
		b = append(b, `,"receivers":null`...)
	} else {
		b = appendStrings(append(b, `,"receivers":`...), r.Receivers)
	}
	text(`,"replica":`, r.Replica)
	text(`,"rule":`, r.Rule)
	b = strconv.AppendInt(append(b, `,"seq":`...), r.Seq, 10)
	text(`,"tenant_id":`, r.Tenant)
	text(`,"trace":`, r.Trace)
	return append(b, '}'), err
}

func appendStrings(b []byte, list []string) []byte {
	b = append(b, '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, s)
	}
	return append(b, ']')
}

func appendUUID(b []byte, id uuid.UUID) []byte {
	b = append(b, '"')
	for i, part := range [...][]byte{id[:4], id[4:6], id[6:8], id[8:10], id[10:]} {
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, part)
	}
	return append(b, '"')
}

func appendBytes(b, value []byte) []byte {
	b = append(b, '"')
	b = base64.StdEncoding.AppendEncode(b, value)
	return append(b, '"')
}

// MarshalJSON writes the row as an export does: one member per column, hashes
// in base64, and nothing in it that could end a line or move a cursor.
func (r Record) MarshalJSON() ([]byte, error) {
	b, err := r.appendColumns(new(scanner), nil, true)
	if err != nil {
		return nil, err
	}
	return escapeFrom(b, 0), nil
}
