package siem

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"net"
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/local"
)

const (
	maxName    = 100
	maxAddress = 2000
	maxPEM     = 64 << 10
	maxSecret  = 16 << 10
)

// check returns an Unprocessable fault with everything that is wrong with s.
// secret is the one it will have; "": none.
func (s *Spec) check(secret string) error {
	var bad []fault.Violation
	wrong := func(rule, field, message, fix string) {
		bad = append(bad, fault.Violation{Rule: rule, Path: "/" + field, Message: message, Fix: fix})
	}
	if s.Name == "" || len(s.Name) > maxName || strings.ContainsFunc(s.Name, unicode.IsControl) {
		wrong("siem.name", "name", "A sink has a name of 1 to 100 characters.", "Give it one that tells it from the others.")
	}
	switch s.Kind {
	case Syslog:
		if !serverAddress(s.Address) {
			wrong("siem.address", "address", "That is not a server's address.", "Write it as host:port, such as logs.example.org:6514.")
		}
	case Webhook, OTLP:
		if why := urlAddress(s.Address); why != "" {
			wrong("siem.address", "address", why, "Write it as https://host/path.")
		}
	default:
		wrong("siem.kind", "kind", "There is no such kind of sink.", "Choose syslog, webhook or otlp.")
	}
	if s.CA != "" && (len(s.CA) > maxPEM || !x509.NewCertPool().AppendCertsFromPEM([]byte(s.CA))) {
		wrong("siem.ca", "ca", "That holds no certificate.", "Paste the certificate of the authority in PEM, which begins with -----BEGIN CERTIFICATE-----.")
	}
	if s.Certificate != "" {
		if s.Kind != Syslog {
			wrong("siem.certificate", "certificate", "Only a syslog server is shown a certificate.", "Leave it empty.")
		} else if _, err := tls.X509KeyPair([]byte(s.Certificate), []byte(secret)); err != nil || len(s.Certificate) > maxPEM {
			wrong("siem.certificate", "certificate", "Certificate and private key do not belong together.", "Paste both in PEM; the key goes into the secret.")
		}
	}
	switch {
	case len(secret) > maxSecret || strings.ContainsFunc(strings.TrimSpace(secret), func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\r' }):
		wrong("siem.secret", "secret", "The secret cannot be used.", "It is at most 16 KiB of printable text.")
	case s.Kind == Webhook:
		if _, err := signingKey(secret); err != nil {
			wrong("siem.secret", "secret", "A webhook needs a key that its signature is made with.", "Write it as whsec_ and the base64 of 24 to 64 random bytes.")
		}
	case s.Kind == Syslog && secret != "" && s.Certificate == "":
		wrong("siem.secret", "secret", "A private key needs its certificate.", "Paste the certificate, or remove the key.")
	case s.Kind == OTLP && strings.ContainsAny(secret, "\r\n"):
		wrong("siem.secret", "secret", "A bearer token is one line.", "Paste the token alone.")
	}
	if len(bad) == 0 {
		return nil
	}
	f := fault.New(fault.Unprocessable, bad[0].Rule, "%s", bad[0].Message)
	f.Violations = bad
	return f
}

// signingKey reads whsec_… (Standard Webhooks, "Signature scheme").
func signingKey(secret string) ([]byte, error) {
	text, ok := strings.CutPrefix(secret, "whsec_")
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil || !ok || len(key) < 24 || len(key) > 64 {
		return nil, base64.CorruptInputError(0)
	}
	return key, nil
}

func serverAddress(address string) bool {
	host, port, err := net.SplitHostPort(address)
	if err != nil || len(address) > maxAddress || host == "" || strings.ContainsFunc(host, func(r rune) bool {
		return r > unicode.MaxASCII || !(r == '.' || r == '-' || r == ':' || unicode.IsLetter(r) || unicode.IsDigit(r))
	}) {
		return false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}

// urlAddress says what is wrong with the address of a sink over HTTP; "": nothing.
func urlAddress(address string) string {
	u, err := url.Parse(address)
	switch {
	case err != nil || len(address) > maxAddress || u.Host == "" || u.Hostname() == "" || u.Opaque != "" || u.Fragment != "":
		return "That is not a URL."
	case u.User != nil:
		return "A URL holds no user or password here."
	case u.Scheme == "https":
		return ""
	case u.Scheme == "http" && local.Host(u.Hostname()):
		return ""
	case u.Scheme == "http":
		return "The audit is not sent in clear over a network."
	}
	return "That is not a URL of https."
}
