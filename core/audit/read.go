package audit

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"time"

	"github.com/google/uuid"
)

// row is a Record as JSON: the columns under their names.
type row struct {
	Action       string          `json:"action"`
	ActorID      string          `json:"actor_id"`
	ActorKind    string          `json:"actor_kind"`
	ActorName    string          `json:"actor_name"`
	Address      string          `json:"address"`
	After        json.RawMessage `json:"after"`
	At           string          `json:"at"`
	Before       json.RawMessage `json:"before"`
	Call         *uuid.UUID      `json:"call"`
	Chain        string          `json:"chain"`
	Classes      []string        `json:"classes"`
	Credential   string          `json:"credential"`
	Detail       json.RawMessage `json:"detail"`
	Hash         string          `json:"hash"`
	ID           uuid.UUID       `json:"id"`
	Object       string          `json:"object"`
	ObjectPlugin string          `json:"object_plugin"`
	OnBehalfID   string          `json:"on_behalf_id"`
	OnBehalfName string          `json:"on_behalf_name"`
	Outcome      Outcome         `json:"outcome"`
	Plugin       string          `json:"plugin_id"`
	PrevHash     string          `json:"prev_hash"`
	Receivers    []string        `json:"receivers"`
	Replica      string          `json:"replica"`
	Rule         string          `json:"rule"`
	Seq          int64           `json:"seq"`
	Tenant       string          `json:"tenant_id"`
	Trace        string          `json:"trace"`
}

// UnmarshalJSON reads what MarshalJSON wrote, and refuses members it does not know.
func (r *Record) UnmarshalJSON(data []byte) error {
	var w row
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&w); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errNoRecord
	}
	at, err := time.Parse(timeLayout, w.At)
	if err != nil {
		return errNoRecord
	}
	prev, err := base64.StdEncoding.Strict().DecodeString(w.PrevHash)
	if err != nil {
		return errNoRecord
	}
	hash, err := base64.StdEncoding.Strict().DecodeString(w.Hash)
	if err != nil {
		return errNoRecord
	}
	*r = Record{
		ID: w.ID, Chain: w.Chain, Seq: w.Seq, At: at, Tenant: w.Tenant,
		ActorKind: w.ActorKind, ActorID: w.ActorID, ActorName: w.ActorName, OnBehalfID: w.OnBehalfID, OnBehalfName: w.OnBehalfName,
		Credential: w.Credential, Plugin: w.Plugin, ObjectPlugin: w.ObjectPlugin, Receivers: w.Receivers,
		Action: w.Action, Object: w.Object, Outcome: w.Outcome, Rule: w.Rule, Classes: w.Classes,
		Trace: w.Trace, Address: w.Address, Replica: w.Replica, Detail: w.Detail, Before: present(w.Before), After: present(w.After),
		PrevHash: prev, Hash: hash,
	}
	if w.Call != nil {
		r.Call = *w.Call
	}
	return nil
}

// present returns nil for an absent value and for null, which is SQL's NULL.
func present(raw json.RawMessage) json.RawMessage {
	if bytes.Equal(raw, []byte("null")) {
		return nil
	}
	return raw
}
