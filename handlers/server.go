// Package handlers answers HTTP: JSON for programs (api_*.go) and HTML for
// people (console_*.go), by one table of routes.
//
// It binds, calls one service and renders. It refuses every path that has more
// than one reading, every request without a valid credential outside a short
// public list, and never reads the database itself.
package handlers

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/alert"
	"github.com/vivified/vivified/core/approval"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/evidence"
	"github.com/vivified/vivified/core/gate"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/job"
	"github.com/vivified/vivified/core/market"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/core/retention"
	"github.com/vivified/vivified/core/rulebook"
	"github.com/vivified/vivified/core/settings"
	"github.com/vivified/vivified/core/siem"
	"github.com/vivified/vivified/core/sso"
	"github.com/vivified/vivified/core/storage"
	"github.com/vivified/vivified/lanes/canonical"
	"github.com/vivified/vivified/lanes/operator"
	"github.com/vivified/vivified/lanes/proxy"
	"github.com/vivified/vivified/pluginmgr"
)

// Check is one thing the core needs, and whether it answers.
type Check struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	Why  string `json:"why,omitempty"`
}

// Config is what the server answers with.
type Config struct {
	Identity  *identity.Service
	SSO       *sso.Service
	Registry  *registry.Registry
	Rules     *rulebook.Rulebook
	Plugins   *pluginmgr.Manager
	Shelf     *market.Service
	Jobs      *job.Service
	Installer *pluginmgr.Installer
	Settings  *settings.Settings
	Keyring   *settings.Keyring
	Audit     *audit.Store
	Proof     Proof
	SIEM      *siem.Service
	Evidence  *evidence.Service
	Retention *retention.Service
	Gate      *gate.Gate
	Events    *canonical.Lane
	IDs       *storage.IDMap
	Calls     *operator.Lane
	Egress    *proxy.Lane

	Approvals *approval.Service
	Alerts    *alert.Service

	Ready        func(context.Context) []Check
	Metrics      *prometheus.Registry
	MetricsToken func() string // lets a scraper in from elsewhere than loopback; "" lets nobody

	Public string       // address people and plugins use
	Signer audit.Signer // of audit exports
	SetUp  func()       // called once the first administrator is made

	Secure         bool           // served over TLS, here or by a trusted proxy
	TrustedProxies []netip.Prefix // whose X-Forwarded-For counts
	Version        string
	Log            *slog.Logger

	// Patience is how long a client may take for the headers of a request, and
	// for a body to begin to come. Default 10 s.
	Patience time.Duration
}

// Proof verifies the audit of the running installation.
type Proof interface {
	// Verify recomputes every chain and compares it with the signed heads.
	Verify(ctx context.Context) (audit.Report, error)
}

// Server is the HTTP surface of the core.
type Server struct {
	Config
	echo  *echo.Echo
	table []route
	took  *prometheus.HistogramVec
	lines sync.Map // of took, found before: its labels → prometheus.Observer
	csrf  *http.CrossOriginProtection

	methods *grpc.Server // of gRPC

	strips strips // health strips as tables last drew them
}

// New builds the server.
func New(c Config) *Server {
	c.Patience = cmp.Or(c.Patience, 10*time.Second)
	s := &Server{Config: c, echo: echo.New(), csrf: http.NewCrossOriginProtection()}
	s.took = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "vivified_http_request_duration_seconds", Help: "Time to answer an HTTP request, by route.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
	}, []string{"method", "route", "status"})
	if c.Metrics != nil {
		c.Metrics.MustRegister(s.took)
	}
	s.methods = s.rpcMethods(c.Settings.Int(settings.LimitBodyBytes) + margin)
	s.table = s.routes()
	e := s.echo
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = s.fail
	e.Pre(s.trace, s.headers, s.access, s.recoverer, s.pace, s.recorded, s.canonical, s.hygiene, s.authenticate, s.sameOrigin, s.viewing)
	for _, r := range s.table {
		e.Match(r.methods(), r.path, s.guard(r), limit(r.bodyLimit()))
	}
	return s
}

// HTTP returns the server that answers by s, with the limits under which it may
// face strangers.
func (s *Server) HTTP() *http.Server {
	var speaks http.Protocols
	speaks.SetHTTP1(true)
	speaks.SetHTTP2(true)
	speaks.SetUnencryptedHTTP2(true) // with prior knowledge only: nothing is upgraded in the middle of a connection
	return &http.Server{
		Protocols: &speaks, HTTP2: &http.HTTP2Config{MaxConcurrentStreams: 250, SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second, WriteByteTimeout: take},
		Handler: s, ReadHeaderTimeout: s.Patience, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10,
		DisableGeneralOptionsHandler: true, // "OPTIONS *" is no path of ours
		ErrorLog:                     slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug),
	}
}

// Socket returns the server that answers by s at the socket of one plugin, which
// is whoever calls there.
func (s *Server) Socket(plugin string) *http.Server {
	h := s.HTTP()
	h.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.RemoteAddr = "socket" // never an address: what may be done from loopback may not be done from here
		s.ServeHTTP(w, r.WithContext(actor.AtSocket(r.Context(), plugin)))
	})
	return h
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.echo.ServeHTTP(w, r) }

func (s *Server) observe(method, route string, status int, took time.Duration) {
	key := [3]string{methodLabel(method), route, statusLabel(status)}
	o, ok := s.lines.Load(key)
	if !ok {
		o, _ = s.lines.LoadOrStore(key, s.took.WithLabelValues(key[:]...))
	}
	o.(prometheus.Observer).Observe(took.Seconds())
}

func methodLabel(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "other"
}

func statusLabel(status int) string {
	return [...]string{"0xx", "1xx", "2xx", "3xx", "4xx", "5xx", "6xx", "7xx", "8xx", "9xx"}[status/100%10]
}
