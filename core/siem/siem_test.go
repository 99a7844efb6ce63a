package siem_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/siem"
)

const signing = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

func say(text string) *string { return &text }

// A syslog server that stalls slows nobody; one that crashes loses what it had not
// read, and receives it when it is back.
func TestASyslogServerCatchesUpWithoutLoss(t *testing.T) {
	w := newWorld(t)
	cert, ca := certificate(t)
	s := &syslogServer{cert: cert, stall: make(chan struct{})}
	address := s.start(t, "127.0.0.1:0")
	sink := w.add(siem.Spec{Name: "siem", Kind: siem.Syslog, Address: address, CA: ca, FromStart: true})
	stop := w.run()
	w.write(300) // it stalls, and the changes are made all the same

	until(t, "its lag is shown", func() bool {
		one, err := w.Sink(w.ctx, sink.ID)
		return err == nil && one.Behind >= 300 && !one.Oldest.IsZero() && one.Sent == 0
	})
	s.kill()
	w.write(100)
	until(t, "it is said why", func() bool {
		one, err := w.Sink(w.ctx, sink.ID)
		return err == nil && one.Failing != nil && one.LastError != ""
	})
	back := &syslogServer{cert: cert}
	back.start(t, address)
	defer back.kill()
	all := w.ids()
	until(t, "all arrived", func() bool { return back.has(all) })
	stop() // confirms what was sent
	one, err := w.Sink(w.ctx, sink.ID)
	if err != nil || one.Behind != 0 || one.Missed != 0 || one.Failing != nil {
		t.Errorf("in the end: %+v, %v", one, err)
	}
	messages, bad := back.seen()
	if len(bad) > 0 {
		t.Errorf("messages that cannot be read: %q", bad)
	}
	form := regexp.MustCompile(`^<1(0[0-9]|1[0-1])>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z \S+ vivified - \S{1,32} \[vivified@32473( [a-zA-Z]+="(\\.|[^"\\\]\n])*")+\] \x{FEFF}\{.*\}$`)
	for _, m := range messages {
		if !form.MatchString(m) {
			t.Fatalf("not a message of RFC 5424: %s", m)
		}
	}
}

// A server whose certificate leads elsewhere is sent nothing.
func TestAStrangersSyslogServerIsSentNothing(t *testing.T) {
	w := newWorld(t)
	cert, _ := certificate(t)
	_, other := certificate(t)
	s := &syslogServer{cert: cert}
	address := s.start(t, "127.0.0.1:0")
	defer s.kill()
	sink := w.add(siem.Spec{Name: "siem", Kind: siem.Syslog, Address: address, CA: other})
	if err := w.Try(w.ctx, sink.ID); !fault.Is(err, fault.BadGateway) || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a trial says %v", err)
	}
	if n := s.len(); n > 0 {
		t.Errorf("it received %d records", n)
	}
}

// A webhook verifies the signature, and gets again what it did not take.
func TestAWebhookIsSignedAndTriedAgain(t *testing.T) {
	w := newWorld(t)
	var in inbox
	var asked, bad atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(signing, "whsec_"))
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(r.Header.Get("Webhook-Id") + "." + r.Header.Get("Webhook-Timestamp") + "." + string(body)))
		if r.Header.Get("Webhook-Signature") != "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)) {
			bad.Add(1)
		}
		if asked.Add(1) == 2 {
			http.Redirect(rw, r, "/elsewhere", http.StatusTemporaryRedirect) // not followed
			return
		}
		if r.URL.Path != "/audit" {
			bad.Add(1)
		}
		var sent struct {
			Data struct{ Records []audit.Record }
		}
		if json.Unmarshal(body, &sent) != nil {
			bad.Add(1)
		}
		for _, rec := range sent.Data.Records {
			if sum, err := rec.Digest(); err != nil || !slices.Equal(sum, rec.Hash) {
				bad.Add(1) // a record proves itself also on the other side
			}
			in.take(rec.ID.String())
		}
	}))
	defer server.Close()
	sink := w.add(siem.Spec{Name: "hook", Kind: siem.Webhook, Address: server.URL + "/audit", Secret: say(signing)})
	before := len(w.ids())
	w.run()
	w.write(10)
	until(t, "the first arrive", func() bool { return asked.Load() >= 1 })
	w.write(10)
	until(t, "all arrive", func() bool { return in.has(w.ids()[before:]) })
	until(t, "it is noted", func() bool {
		one, err := w.Sink(w.ctx, sink.ID)
		return err == nil && one.Behind == 0 && one.Sent >= 20 && one.SentAt != nil
	})
	if bad.Load() > 0 {
		t.Errorf("%d requests were wrong", bad.Load())
	}
}

// A collector takes records as OTLP, and those that it refuses for good are counted.
func TestACollectorTakesLogRecords(t *testing.T) {
	w := newWorld(t)
	var in inbox
	var wrong atomic.Value
	server := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		var sent struct {
			ResourceLogs []struct {
				ScopeLogs []struct {
					LogRecords []struct {
						TimeUnixNano   string
						SeverityNumber int
						EventName      string
						Body           struct{ StringValue string }
					}
				}
			}
		}
		if err := json.NewDecoder(r.Body).Decode(&sent); err != nil || r.Header.Get("Authorization") != "Bearer a token" || r.URL.Path != "/v1/logs" {
			wrong.Store(r.Header.Get("Authorization") + r.URL.Path)
		}
		for _, l := range sent.ResourceLogs[0].ScopeLogs[0].LogRecords {
			var rec audit.Record
			if json.Unmarshal([]byte(l.Body.StringValue), &rec) != nil || l.EventName != rec.Action || l.SeverityNumber == 0 || len(l.TimeUnixNano) < 19 {
				wrong.Store(l.Body.StringValue)
			}
			in.take(rec.ID.String())
		}
		_, _ = io.WriteString(rw, `{"partialSuccess":{"rejectedLogRecords":"1","errorMessage":"too long"}}`)
	}))
	defer server.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	sink := w.add(siem.Spec{Name: "collector", Kind: siem.OTLP, Address: server.URL + "/v1/logs", CA: string(ca), Secret: say("a token"), FromStart: true})
	w.write(5)
	w.run()
	until(t, "all arrive", func() bool { return in.has(w.ids()) })
	until(t, "what was refused is counted", func() bool {
		one, err := w.Sink(w.ctx, sink.ID)
		return err == nil && one.Rejected > 0 && one.Behind == 0
	})
	if x := wrong.Load(); x != nil {
		t.Errorf("a request was wrong: %v", x)
	}
}

// Two replicas share the work; nothing is lost when one ends.
func TestOneReplicaSends(t *testing.T) {
	w := newWorld(t)
	var in inbox
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var sent struct {
			Data struct{ Records []audit.Record }
		}
		_ = json.NewDecoder(r.Body).Decode(&sent)
		for _, rec := range sent.Data.Records {
			in.take(rec.ID.String())
		}
	}))
	defer server.Close()
	w.add(siem.Spec{Name: "hook", Kind: siem.Webhook, Address: server.URL, Secret: say(signing), FromStart: true})
	other := *w
	other.Service = siem.New(siem.Config{Pool: w.pool, Store: w.Store, Sealer: w.Sealer, Replica: "two", Poll: w.Poll, Log: w.Log})
	stop := w.run()
	other.run()
	w.write(20)
	until(t, "all arrive", func() bool { return in.has(w.ids()) })
	stop()
	w.write(20)
	until(t, "all arrive from the other", func() bool { return in.has(w.ids()) })
	in.mu.Lock()
	defer in.mu.Unlock()
	twice := 0
	for _, n := range in.ids {
		if n > 1 {
			twice++
		}
	}
	if twice > 20 {
		t.Errorf("%d of %d records came more than once: both sent", twice, len(in.ids))
	}
}

// Records that were purged before a sink had them are a gap, which is shown.
func TestWhatWasPurgedIsAGap(t *testing.T) {
	w := newWorld(t)
	var in inbox
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var sent struct {
			Data struct{ Records []audit.Record }
		}
		_ = json.NewDecoder(r.Body).Decode(&sent)
		for _, rec := range sent.Data.Records {
			in.take(rec.ID.String())
		}
	}))
	defer server.Close()
	w.write(10)
	sink := w.add(siem.Spec{Name: "hook", Kind: siem.Webhook, Address: server.URL, Secret: say(signing), FromStart: true})
	store := audit.NewStore(w.pool)
	b, err := store.Follow(w.ctx, actor.DefaultTenant, audit.Place{audit.ChangeChain: 4}, 100)
	if err != nil || len(b.Records) == 0 || b.Records[0].Seq != 5 || b.Missed != 0 {
		t.Fatalf("after the fourth come %+v, %v", b, err)
	}
	w.purge(4)
	w.run()
	until(t, "the gap is shown", func() bool {
		one, err := w.Sink(w.ctx, sink.ID)
		return err == nil && one.Missed == 4 && one.Behind == 0
	})
}

func TestSinksThatCannotBe(t *testing.T) {
	w := newWorld(t)
	good := siem.Spec{Name: "hook", Kind: siem.Webhook, Address: "https://logs.example.org/audit", Secret: say(signing)}
	for _, tt := range []struct {
		name string
		edit func(*siem.Spec)
		rule string
	}{
		{"without a name", func(s *siem.Spec) { s.Name = " " }, "siem.name"},
		{"of no kind", func(s *siem.Spec) { s.Kind = "pigeon" }, "siem.kind"},
		{"in clear", func(s *siem.Spec) { s.Address = "http://logs.example.org/" }, "siem.address"},
		{"with a password in the address", func(s *siem.Spec) { s.Address = "https://a:b@logs.example.org/" }, "siem.address"},
		{"of another scheme", func(s *siem.Spec) { s.Address = "file:///etc/passwd" }, "siem.address"},
		{"a webhook without a key", func(s *siem.Spec) { s.Secret = nil }, "siem.secret"},
		{"a webhook with a short key", func(s *siem.Spec) { s.Secret = say("whsec_QQ==") }, "siem.secret"},
		{"a server without a port", func(s *siem.Spec) { s.Kind, s.Address, s.Secret = siem.Syslog, "logs.example.org", nil }, "siem.address"},
		{"a server with a URL", func(s *siem.Spec) { s.Kind, s.Address, s.Secret = siem.Syslog, "https://logs.example.org:6514", nil }, "siem.address"},
		{"an authority that is none", func(s *siem.Spec) { s.CA = "trust me" }, "siem.ca"},
		{"a certificate without its key", func(s *siem.Spec) {
			s.Kind, s.Address, s.Secret = siem.Syslog, "logs.example.org:6514", nil
			_, s.Certificate = certificate(t)
		}, "siem.certificate"},
		{"a token of two lines", func(s *siem.Spec) { s.Kind, s.Secret = siem.OTLP, say("a\nX-Other: b") }, "siem.secret"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := good
			tt.edit(&in)
			_, err := w.Add(w.ctx, in)
			if f := fault.Of(err); f.Kind != fault.Unprocessable || !slices.ContainsFunc(f.Violations, func(v fault.Violation) bool { return v.Rule == tt.rule && v.Fix != "" }) {
				t.Errorf("answered %+v, want %s", f, tt.rule)
			}
		})
	}
	if _, err := w.Add(w.ctx, good); err != nil {
		t.Errorf("the good one is refused: %v", err)
	}
	if _, err := w.Add(w.ctx, good); !fault.Is(err, fault.Conflict) {
		t.Errorf("a second of the same name: %v", err)
	}
}

// The secret stays where it was meant to go, and nobody is told it.
func TestASecretIsKeptAndNotTold(t *testing.T) {
	w := newWorld(t)
	sink := w.add(siem.Spec{Name: "hook", Kind: siem.Webhook, Address: "https://logs.example.org/a", Secret: say(signing)})
	if sink.SecretSet == nil {
		t.Error("it is not said that there is one")
	}
	moved := siem.Spec{Name: "hook", Address: "https://evil.example.org/a", Enabled: true}
	if _, err := w.Change(w.ctx, sink.ID, sink.Version, moved); fault.Of(err).Code != "siem.secret" {
		t.Errorf("another server with the old secret: %v", err)
	}
	moved.Address = "https://logs.example.org/b"
	changed, err := w.Change(w.ctx, sink.ID, sink.Version, moved)
	if err != nil || changed.SecretSet == nil || !changed.SecretSet.Equal(*sink.SecretSet) {
		t.Errorf("another path with the old secret: %+v, %v", changed, err)
	}
	if _, err := w.Change(w.ctx, sink.ID, sink.Version, moved); !fault.Is(err, fault.Conflict) {
		t.Errorf("a change of what somebody changed meanwhile: %v", err)
	}
	if err := w.Remove(w.ctx, sink.ID); err != nil {
		t.Error(err)
	}
	if err := w.Remove(w.ctx, sink.ID); !fault.Is(err, fault.NotFound) {
		t.Errorf("removed twice: %v", err)
	}
	if err := w.Try(w.ctx, sink.ID); !fault.Is(err, fault.NotFound) {
		t.Errorf("a trial of none: %v", err)
	}
	page, err := audit.NewStore(w.pool).Search(w.ctx, audit.Filter{Action: "audit.sink.*"})
	if err != nil || len(page.Records) != 3 {
		t.Fatalf("the changes recorded are %d, %v", len(page.Records), err)
	}
	raw, _ := json.Marshal(page.Records)
	if strings.Contains(string(raw), strings.TrimPrefix(signing, "whsec_")) {
		t.Error("the secret stands in the audit")
	}
	var rows int
	if err := w.pool.QueryRow(w.ctx, "SELECT count(*) FROM siem_places").Scan(&rows); err != nil || rows != 0 {
		t.Errorf("%d places are left, %v", rows, err)
	}
}
