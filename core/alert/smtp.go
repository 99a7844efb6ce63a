package alert

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"net/netip"
	"net/smtp"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Security is how a connection to a mail server is protected.
type Security string

// The ways. None is for a server on this machine only.
const (
	StartTLS    Security = "starttls" // RFC 3207; a server that does not offer it is sent nothing
	ImplicitTLS Security = "tls"      // RFC 8314
	Plain       Security = "none"
)

// SMTP is the mail server that messages are handed to (RFC 5321, RFC 6409).
type SMTP struct {
	Address  string // host:port; "": none
	Security Security
	User     string // "": the server asks for none
	Password string
}

// mail is one message.
type mail struct {
	from    string
	to      []string
	subject string
	body    string
	id      uuid.UUID
	at      time.Time
}

// send hands m to the server. Once the server took it an error at the good-bye is none.
func (s SMTP) send(ctx context.Context, m mail, roots *x509.CertPool) error {
	from, err := netmail.ParseAddress(m.from)
	if err != nil {
		return fmt.Errorf("the address mail comes from cannot be read: %w", err)
	}
	c, err := s.dial(ctx, roots)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Mail(from.Address); err != nil {
		return err
	}
	var to []string
	for _, one := range m.to {
		a, err := netmail.ParseAddress(one)
		if err != nil {
			return fmt.Errorf("an address mail goes to cannot be read: %w", err)
		}
		if err := c.Rcpt(a.Address); err != nil {
			return fmt.Errorf("%s: %w", a.Address, err)
		}
		to = append(to, a.String())
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(m.text(from, to)); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	_ = c.Quit() // it has the message
	return nil
}

// dial connects, protects the connection and signs in.
func (s SMTP) dial(ctx context.Context, roots *x509.CertPool) (*smtp.Client, error) {
	host, _, err := net.SplitHostPort(s.Address)
	if err != nil {
		return nil, fmt.Errorf("the mail server's address cannot be read: %w", err)
	}
	if s.Security == Plain && !loopback(host) {
		return nil, errors.New("mail is not sent in clear over a network")
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.Address)
	if err != nil {
		return nil, err
	}
	if at, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(at) // it fails for a closed connection only, as the next read does
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, ServerName: host}
	if s.Security == ImplicitTLS {
		conn = tls.Client(conn, conf)
	}
	c, err := smtp.NewClient(conn, host)
	if err != nil {
		conn.Close()
		return nil, err
	}
	if err := s.greet(c, conf); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (s SMTP) greet(c *smtp.Client, conf *tls.Config) error {
	if s.Security != ImplicitTLS && s.Security != Plain {
		if ok, _ := c.Extension("STARTTLS"); !ok {
			return errors.New("the mail server does not offer STARTTLS")
		}
		if err := c.StartTLS(conf); err != nil {
			return err
		}
	}
	if s.User == "" {
		return nil
	}
	return c.Auth(smtp.PlainAuth("", s.User, s.Password, conf.ServerName))
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// text is the message as RFC 5322 has it, of lines that end in CR LF.
func (m *mail) text(from *netmail.Address, to []string) []byte {
	var b bytes.Buffer
	domain := from.Address[strings.LastIndexByte(from.Address, '@')+1:]
	for _, h := range [...]struct{ name, value string }{
		{"From", from.String()}, {"To", strings.Join(to, ",\r\n ")}, {"Subject", mime.QEncoding.Encode("utf-8", m.subject)}, {"Date", m.at.UTC().Format(time.RFC1123Z)},
		{"Message-ID", "<" + m.id.String() + "@" + domain + ">"}, {"Auto-Submitted", "auto-generated"}, {"MIME-Version", "1.0"},
		{"Content-Type", "text/plain; charset=utf-8"}, {"Content-Transfer-Encoding", "quoted-printable"},
	} {
		fmt.Fprintf(&b, "%s: %s\r\n", h.name, h.value)
	}
	b.WriteString("\r\n")
	w := quotedprintable.NewWriter(&b)
	_, _ = w.Write([]byte(m.body)) // a buffer takes everything
	_ = w.Close()
	return b.Bytes()
}
