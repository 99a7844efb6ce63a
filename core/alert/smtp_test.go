package alert_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/alert"
)

// post is a mail server that knows one user and keeps what it is handed.
type post struct {
	mu     sync.Mutex
	mails  []string
	to     []string
	signed bool
}

func (p *post) NewSession(*smtp.Conn) (smtp.Session, error) { return &handover{post: p}, nil }

// handover is one connection to it.
type handover struct {
	*post
	in bool
	to []string
}

func (h *handover) AuthMechanisms() []string { return []string{sasl.Plain} }

func (h *handover) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "vivified" || password != "open sesame" {
			return errors.New("no such user")
		}
		h.in = true
		return nil
	}), nil
}

func (h *handover) Mail(string, *smtp.MailOptions) error {
	if !h.in {
		return smtp.ErrAuthRequired
	}
	return nil
}

func (h *handover) Rcpt(to string, _ *smtp.RcptOptions) error {
	if strings.HasPrefix(to, "nobody@") {
		return &smtp.SMTPError{Code: 550, Message: "no such mailbox"}
	}
	h.to = append(h.to, to)
	return nil
}

func (h *handover) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mails, h.post.to, h.signed = append(h.mails, string(text)), h.to, h.in
	return nil
}

func (h *handover) Reset()        { h.to = nil }
func (h *handover) Logout() error { return nil }

func (p *post) last() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.mails) == 0 {
		return ""
	}
	return p.mails[len(p.mails)-1]
}

// serve starts the server, with TLS from the beginning, on demand, or never.
func serve(t *testing.T, security alert.Security) (*post, string, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	conf := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	p := &post{}
	server := smtp.NewServer(p)
	server.Domain, server.AllowInsecureAuth = "mail.example.org", security == alert.Plain
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	switch security {
	case alert.ImplicitTLS:
		listener = tls.NewListener(listener, conf)
	case alert.StartTLS:
		server.TLSConfig = conf
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(listener) }()
	t.Cleanup(func() { server.Close(); <-done })
	return p, listener.Addr().String(), roots
}

// A mail server is handed every alert, over a connection that is protected.
func TestMail(t *testing.T) {
	for _, security := range []alert.Security{alert.StartTLS, alert.ImplicitTLS, alert.Plain} {
		t.Run(string(security), func(t *testing.T) {
			w := newWorld(t)
			p, address, roots := serve(t, security)
			w.ways = alert.Ways{
				To: []string{"ops@example.org", "night@example.org"}, From: "vivified@example.org", Roots: roots,
				SMTP: alert.SMTP{Address: address, Security: security, User: "vivified", Password: "open sesame"},
			}
			w.write(20, actor.Plugin, "mäil\r\nBcc: evil@example.org", denied)
			w.tend()
			w.tend()
			m, err := mail.ReadMessage(strings.NewReader(p.last()))
			if err != nil {
				t.Fatalf("the mail cannot be read: %v\n%s", err, p.last())
			}
			subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
			if want := "[Vivified] WARNING: A plugin is denied again and again: MÄIL  BCC: EVIL@EXAMPLE.ORG"; subject != want || err != nil {
				t.Errorf("the subject is %q, %v", subject, err)
			}
			if m.Header.Get("Bcc") != "" || m.Header.Get("Auto-Submitted") != "auto-generated" || m.Header.Get("From") != "<vivified@example.org>" {
				t.Errorf("the header is %v", m.Header)
			}
			if to, err := m.Header.AddressList("To"); err != nil || len(to) != 2 || len(p.to) != 2 {
				t.Errorf("it goes to %v, handed to %v, %v", to, p.to, err)
			}
			body, err := io.ReadAll(quotedprintable.NewReader(m.Body))
			if err != nil || !strings.Contains(string(body), "https://vivified.example/console/alerts/") || !strings.Contains(string(body), "operator.call by") {
				t.Errorf("the body is %q, %v", body, err)
			}
		})
	}
}

// What a mail server refuses, or would have to be sent in clear, is told.
func TestMailThatCannotGo(t *testing.T) {
	w := newWorld(t)
	_, plain, roots := serve(t, alert.Plain)
	_, protected, _ := serve(t, alert.StartTLS)
	good := alert.Ways{To: []string{"ops@example.org"}, From: "vivified@example.org", Roots: roots, SMTP: alert.SMTP{Address: plain, Security: alert.Plain, User: "vivified", Password: "open sesame"}}
	for name, c := range map[string]struct {
		edit func(*alert.Ways)
		code string
		says string
	}{
		"good":             {func(*alert.Ways) {}, "", ""},
		"no STARTTLS":      {func(w *alert.Ways) { w.SMTP.Security = alert.StartTLS }, "alert.refused", "does not offer STARTTLS"},
		"unknown issuer":   {func(w *alert.Ways) { w.SMTP.Address, w.SMTP.Security = protected, alert.StartTLS }, "alert.refused", "certificate"},
		"no such mailbox":  {func(w *alert.Ways) { w.To = []string{"nobody@example.org"} }, "alert.refused", "no such mailbox"},
		"wrong password":   {func(w *alert.Ways) { w.SMTP.Password = "x" }, "alert.refused", "no such user"},
		"clear over a net": {func(w *alert.Ways) { w.SMTP.Address = "192.0.2.1:25" }, "alert.refused", "in clear"},
		"nobody there":     {func(w *alert.Ways) { w.SMTP.Address = "127.0.0.1:1" }, "alert.refused", "refused"},
		"not an address":   {func(w *alert.Ways) { w.To = []string{"x"} }, "alert.refused", "cannot be read"},
		"no server":        {func(w *alert.Ways) { w.SMTP.Address = "" }, "alert.channel_unset", ""},
	} {
		w.ways = good
		c.edit(&w.ways)
		err := w.Try(w.ctx, alert.Email)
		if codeOf(err) != c.code || c.says != "" && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := w.Try(w.ctx, "pigeon"); codeOf(err) != "alert.channel" {
		t.Errorf("a pigeon: %v", err)
	}
	if w.recorded("alert.trial") != 9 {
		t.Errorf("%d trials are recorded, want 9", w.recorded("alert.trial"))
	}
}

// messenger is a plugin that sends messages.
type messenger struct {
	there bool
	err   error
	sent  []string
}

func (m *messenger) Send(_ context.Context, to []string, subject, _ string) (bool, error) {
	if m.there && m.err == nil {
		m.sent = append(m.sent, strings.Join(to, ",")+" "+subject)
	}
	return m.there, m.err
}

// A plugin that sends messages goes before the mail server, which takes what the
// plugin does not.
func TestMailThroughAPlugin(t *testing.T) {
	w := newWorld(t)
	p, address, roots := serve(t, alert.StartTLS)
	w.ways = alert.Ways{To: []string{"ops@example.org"}, From: "vivified@example.org", Roots: roots, SMTP: alert.SMTP{Address: address, User: "vivified", Password: "open sesame"}}
	m := &messenger{there: true}
	w.config.Messenger = m
	w.Service = alert.New(w.config)
	if err := w.Try(w.ctx, alert.Email); err != nil || len(m.sent) != 1 || m.sent[0] != "ops@example.org [Vivified] TRIAL: A trial of alerts" || p.last() != "" {
		t.Errorf("sent %v, %v", m.sent, err)
	}
	m.err = errors.New("its relay is away")
	if err := w.Try(w.ctx, alert.Email); err != nil || p.last() == "" {
		t.Errorf("the mail server was not asked: %v", err)
	}
	w.ways.SMTP.Address = ""
	if err := w.Try(w.ctx, alert.Email); codeOf(err) != "alert.refused" || !strings.Contains(err.Error(), "relay is away") {
		t.Errorf("nobody sent it: %v", err)
	}
	m.there = false
	if err := w.Try(w.ctx, alert.Email); codeOf(err) != "alert.channel_unset" {
		t.Errorf("there is no way: %v", err)
	}
}
