package audit

import (
	"encoding/base64"
	"encoding/csv"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/google/uuid"
)

// sheetHeader names the columns of a CSV export.
var sheetHeader = [...]string{
	"at", "chain", "seq", "id", "call", "outcome", "action", "object", "rule", "actor_kind", "actor_id", "actor_name",
	"on_behalf_id", "on_behalf_name", "credential", "plugin_id", "object_plugin", "receivers", "classes", "trace",
	"address", "replica", "tenant_id", "detail", "before", "after", "prev_hash", "hash",
}

// sheet writes CSV (RFC 4180), one record a line.
type sheet struct {
	w     *csv.Writer
	begun bool
}

func newSheet(w io.Writer) *sheet { return &sheet{w: csv.NewWriter(w)} }

func (s *sheet) begin() error {
	if s.begun {
		return nil
	}
	s.begun = true
	return s.w.Write(sheetHeader[:])
}

func (s *sheet) record(r *Record) error {
	if err := s.begin(); err != nil {
		return err
	}
	call := ""
	if r.Call != uuid.Nil {
		call = r.Call.String()
	}
	row := []string{
		r.At.UTC().Format(timeLayout), r.Chain, strconv.FormatInt(r.Seq, 10), r.ID.String(), call, string(r.Outcome),
		r.Action, r.Object, r.Rule, r.ActorKind, r.ActorID, r.ActorName, r.OnBehalfID, r.OnBehalfName, r.Credential,
		r.Plugin, r.ObjectPlugin, strings.Join(r.Receivers, " "), strings.Join(r.Classes, " "), r.Trace, r.Address,
		r.Replica, r.Tenant, string(r.Detail), string(r.Before), string(r.After),
		base64.StdEncoding.EncodeToString(r.PrevHash), base64.StdEncoding.EncodeToString(r.Hash),
	}
	for i := range row {
		row[i] = cell(row[i])
	}
	return s.w.Write(row)
}

func (s *sheet) end(Manifest, Signer) error {
	if err := s.begin(); err != nil {
		return err
	}
	s.w.Flush()
	return s.w.Error()
}

// cell returns text on one line, and so that no spreadsheet takes it for a
// formula (OWASP, CSV Injection).
func cell(text string) string {
	clean := true
	for _, r := range text {
		clean = clean && printable(r)
	}
	if !clean {
		var b []byte
		for _, r := range text {
			switch {
			case printable(r):
				b = append(b, string(r)...)
			case r > 0xFFFF:
				high, low := utf16.EncodeRune(r)
				b = appendUnit(appendUnit(b, high), low)
			default:
				b = appendUnit(b, r)
			}
		}
		text = string(b)
	}
	if text != "" && strings.ContainsRune("=+-@", rune(text[0])) {
		return "'" + text
	}
	return text
}

// String returns the filter as the query of a URL: what was asked for, for people.
func (f *Filter) String() string {
	v := url.Values{}
	for _, p := range [...]struct{ name, value string }{
		{"actor", f.Actor}, {"plugin", f.Plugin}, {"action", f.Action}, {"object", f.Object}, {"outcome", string(f.Outcome)},
		{"class", f.Class}, {"rule", f.Rule}, {"trace", f.Trace}, {"address", f.Address}, {"q", f.Text},
	} {
		if p.value != "" {
			v.Set(p.name, p.value)
		}
	}
	for _, a := range f.Actions {
		v.Add("action", a)
	}
	if !f.Since.IsZero() {
		v.Set("since", f.Since.UTC().Format(time.RFC3339Nano))
	}
	if !f.Until.IsZero() {
		v.Set("until", f.Until.UTC().Format(time.RFC3339Nano))
	}
	return v.Encode()
}
