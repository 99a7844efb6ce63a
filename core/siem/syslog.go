package siem

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/vivified/vivified/core/audit"
)

// syslogSink sends RFC 5424 messages in the framing of RFC 5425. The protocol has
// no acknowledgement, so a connection is what is confirmed: it is ended, and the
// other side ends it in turn once it has read everything.
type syslogSink struct {
	address string
	tls     *tls.Config
	conn    *tls.Conn
}

// Send implements audit.Sink.
func (s *syslogSink) Send(ctx context.Context, records []audit.Record) (int, error) {
	if s.conn == nil {
		dialer := tls.Dialer{NetDialer: &net.Dialer{Timeout: 10 * time.Second}, Config: s.tls}
		conn, err := dialer.DialContext(ctx, "tcp", s.address)
		if err != nil {
			return 0, err
		}
		s.conn = conn.(*tls.Conn) // as its documentation promises
	}
	var b []byte
	for i := range records {
		message, err := syslogMessage(&records[i])
		if err != nil {
			return 0, err
		}
		b = strconv.AppendInt(b, int64(len(message)), 10)
		b = append(append(b, ' '), message...)
	}
	s.deadline(ctx)
	_, err := s.conn.Write(b)
	return 0, err
}

// Confirm implements audit.Sink.
func (s *syslogSink) Confirm(ctx context.Context) error {
	if s.conn == nil {
		return nil
	}
	conn := s.conn
	s.deadline(ctx)
	s.conn = nil
	defer conn.Close()
	if err := conn.CloseWrite(); err != nil {
		return err
	}
	// It has nothing to say. Only its end of the connection means that it has read ours.
	if n, err := io.Copy(io.Discard, io.LimitReader(conn, 64<<10)); err != nil {
		return fmt.Errorf("the server did not end the connection: %w", err)
	} else if n == 64<<10 {
		return errors.New("the server talks instead of listening")
	}
	return nil
}

func (s *syslogSink) deadline(ctx context.Context) {
	if at, ok := ctx.Deadline(); ok {
		_ = s.conn.SetDeadline(at) // it fails for a closed connection only, as the next write does
	}
}

// Close implements audit.Sink.
func (s *syslogSink) Close() {
	if s.conn != nil {
		_ = s.conn.NetConn().Close() // unconfirmed: no good-bye that could pass as one
		s.conn = nil
	}
}

// severities of RFC 5424, section 6.2.1.
const (
	logAudit = 13 // the facility "log audit"
	errorSev = 3
	warning  = 4
	notice   = 5
	info     = 6
)

var severity = map[audit.Outcome]int{audit.Failed: errorSev, audit.Unknown: errorSev, audit.Deny: warning}

// syslogMessage writes r as RFC 5424 has it. Structured data holds what rules of a
// SIEM look at; the message is the whole record, as JSON.
func syslogMessage(r *audit.Record) ([]byte, error) {
	text, err := r.MarshalJSON()
	if err != nil {
		return nil, err
	}
	sev := info
	if s, ok := severity[r.Outcome]; ok {
		sev = s
	} else if r.Chain == audit.ChangeChain {
		sev = notice
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "<%d>1 %s %s vivified - %s [vivified@32473", logAudit*8+sev, r.At.UTC().Format("2006-01-02T15:04:05.000000Z"), header(r.Replica, 255), header(r.Action, 32))
	for _, p := range [...]struct{ name, value string }{
		{"id", r.ID.String()}, {"chain", r.Chain}, {"seq", strconv.FormatInt(r.Seq, 10)}, {"tenant", r.Tenant}, {"actorKind", r.ActorKind}, {"actor", r.ActorID},
		{"plugin", r.Plugin}, {"object", r.Object}, {"outcome", string(r.Outcome)}, {"rule", r.Rule}, {"trace", r.Trace}, {"address", r.Address},
	} {
		if p.value != "" {
			fmt.Fprintf(&b, ` %s="%s"`, p.name, parameter.Replace(strings.ToValidUTF8(p.value, "\uFFFD")))
		}
	}
	b.WriteString("] \xEF\xBB\xBF") // what follows is UTF-8
	b.Write(text)
	return b.Bytes(), nil
}

// parameter escapes a PARAM-VALUE (RFC 5424, section 6.3.3), and line ends, on
// which careless readers would split.
var parameter = strings.NewReplacer(`"`, `\"`, `\`, `\\`, `]`, `\]`, "\n", " ", "\r", " ", "\x00", " ")

// header is text as a header field: printable ASCII without spaces, "-" for none.
func header(text string, most int) string {
	out := strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '_'
		}
		return r
	}, text)
	if out == "" {
		return "-"
	}
	return out[:min(len(out), most)]
}
