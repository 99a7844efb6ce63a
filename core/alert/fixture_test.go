package alert_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/alert"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/core/settings"
	"github.com/vivified/vivified/core/siem"
	"github.com/vivified/vivified/db"
	"github.com/vivified/vivified/db/dbtest"
)

const secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1u"

// world is an audit that alerts watch, with a clock that the test moves.
type world struct {
	*alert.Service
	t    *testing.T
	db   *dbtest.DB
	ctx  context.Context // an administrator's
	sink *siem.Service

	mu     sync.Mutex
	ahead  time.Duration // of the real time
	ways   alert.Ways
	admins int
	config alert.Config
}

// deaf is a bus with one replica on it.
type deaf struct{}

func (deaf) Wake(string) error                            { return nil }
func (deaf) OnWake(context.Context, string, func()) error { return nil }

func (w *world) now() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return time.Now().Add(w.ahead) }

func (w *world) later(d time.Duration) { w.mu.Lock(); defer w.mu.Unlock(); w.ahead += d }

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, db: dbtest.New(t), admins: 2}
	quiet := slog.New(slog.DiscardHandler)
	w.ctx = actor.With(t.Context(), actor.Actor{Kind: actor.User, ID: uuid.NewString(), Name: "Ada", Tenant: actor.DefaultTenant})
	plugins, err := registry.Open(t.Context(), registry.Config{Pool: w.db.Pool, Waker: deaf{}, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := settings.NewSealer([]byte("0123456789abcdefghijklmnopqrstuv"))
	if err != nil {
		t.Fatal(err)
	}
	store := audit.NewStore(w.db.Pool)
	w.sink = siem.New(siem.Config{Pool: w.db.Pool, Store: store, Sealer: sealer, Replica: "one", Log: quiet})
	w.config = alert.Config{
		Pool: w.db.Pool, Store: store, Plugins: plugins, SIEM: w.sink, Public: "https://vivified.example", Replica: "one", Now: w.now, Poll: time.Millisecond, Log: quiet,
		Ways:   func() alert.Ways { w.mu.Lock(); defer w.mu.Unlock(); return w.ways },
		Admins: func(context.Context) (int, error) { w.mu.Lock(); defer w.mu.Unlock(); return w.admins, nil },
	}
	w.Service = alert.New(w.config)
	w.tend() // what comes from now on is looked at
	return w
}

// replica is another core on the same database.
func (w *world) replica(name string) *alert.Service {
	c := w.config
	c.Replica = name
	return alert.New(c)
}

// tend does what the service does again and again, after long enough that it does
// all of it.
func (w *world) tend() {
	w.t.Helper()
	w.later(10 * time.Second)
	if err := w.Tend(w.t.Context()); err != nil {
		w.t.Fatalf("tend: %v", err)
	}
}

// write records something n times, as a plugin or person of that id does.
func (w *world) write(n int, kind actor.Kind, id string, e audit.Entry) {
	w.t.Helper()
	ctx := actor.With(w.t.Context(), actor.Actor{Kind: kind, ID: id, Name: strings.ToUpper(id), Tenant: actor.DefaultTenant})
	for range n {
		if err := db.InTx(ctx, w.db.Pool, func(q *db.Queries) error { return audit.Append(ctx, q, e) }); err != nil {
			w.t.Fatal(err)
		}
	}
}

// list returns the alerts of a stage, or all.
func (w *world) list(stage alert.Stage) []alert.Alert {
	w.t.Helper()
	page, err := w.List(w.ctx, alert.Filter{Stage: stage, Limit: 200})
	if err != nil {
		w.t.Fatal(err)
	}
	return page.Alerts
}

// only returns the one alert there is of a stage.
func (w *world) only(stage alert.Stage) alert.Alert {
	w.t.Helper()
	all := w.list(stage)
	if len(all) != 1 {
		w.t.Fatalf("there are %d alerts %s, want one: %+v", len(all), stage, all)
	}
	return all[0]
}

// recorded counts the records of an action.
func (w *world) recorded(action string) int {
	w.t.Helper()
	page, err := w.config.Store.Search(w.ctx, audit.Filter{Action: action, Limit: 500})
	if err != nil {
		w.t.Fatal(err)
	}
	return len(page.Records)
}

func codeOf(err error) string {
	if err == nil {
		return ""
	}
	return fault.Of(err).Code
}

// receiver takes webhooks whose signature is good.
type receiver struct {
	*httptest.Server
	mu      sync.Mutex
	refuses bool
	seen    []string // type and title
	ids     map[string]int
}

func (w *world) receiver() *receiver {
	r := &receiver{ids: map[string]int{}}
	r.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%s.%s", q.Header.Get("Webhook-Id"), q.Header.Get("Webhook-Timestamp"), body)
		if q.Header.Get("Webhook-Signature") != "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)) {
			w.t.Errorf("a webhook is not signed as it must be")
		}
		var m struct {
			Type string
			Data struct{ Title string }
		}
		if err := json.Unmarshal(body, &m); err != nil {
			w.t.Errorf("a webhook is no JSON: %v", err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.refuses {
			rw.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		r.ids[q.Header.Get("Webhook-Id")]++
		r.seen = append(r.seen, m.Type+" "+m.Data.Title)
	}))
	w.t.Cleanup(r.Close)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ways.WebhookURL, w.ways.WebhookSecret = r.URL+"/hook", secret
	return r
}

func (r *receiver) set(refuses bool) { r.mu.Lock(); defer r.mu.Unlock(); r.refuses = refuses }

func (r *receiver) got() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string{}, r.seen...)
}
