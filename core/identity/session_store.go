package identity

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/gorilla/sessions"
	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/db"
)

// maxSessionData is how much the console may keep in a session, in bytes.
const maxSessionData = 4 << 10

// CookieName is the name of the session cookie: with the prefix that ties it to
// this host and to https (RFC 6265bis section 4.1.3.2), except on plain loopback.
func (s *Service) CookieName() string {
	if s.Plain {
		return "vv_session"
	}
	return "__Host-vv_session"
}

// CookieStore keeps the console's sessions in PostgreSQL, for gorilla/sessions. A
// session's ID is its secret, and the value of the cookie; its values, such as
// flashes, are JSON: text as keys. It starts no session by itself but by Start, with
// what a sign-in granted. Saving with a negative MaxAge ends the session.
type CookieStore struct{ service *Service }

var _ sessions.Store = CookieStore{}

// CookieStore returns the store of this service's sessions.
func (s *Service) CookieStore() CookieStore { return CookieStore{s} }

// Get returns the session of r; within one request always the same.
func (c CookieStore) Get(r *http.Request, name string) (*sessions.Session, error) {
	return sessions.GetRegistry(r).Get(c, name)
}

// New returns the session the cookie of r names. Without a good one the session is
// new and has no ID; that is no error.
func (c CookieStore) New(r *http.Request, name string) (*sessions.Session, error) {
	session := sessions.NewSession(c, name)
	session.IsNew = true
	session.Options = c.service.cookieOptions()
	cookies := r.CookiesNamed(name)
	if len(cookies) != 1 || !isSecret(sessionPrefix, cookies[0].Value) {
		return session, nil
	}
	// Not from memory: another replica may just have kept a flash in it.
	p, err := c.service.lookUp(r.Context(), CredentialSession, hashOf(cookies[0].Value))
	if errors.Is(err, pgx.ErrNoRows) || err == nil && p.ended(c.service.now()) != "" {
		return session, nil
	}
	if err != nil {
		return session, unavailable(err)
	}
	session.ID, session.IsNew = cookies[0].Value, false
	return session, decodeValues(p.data, session.Values)
}

// Start gives the browser the cookie of a session just granted. Nothing of what it
// had before goes over.
func (c CookieStore) Start(r *http.Request, w http.ResponseWriter, g Grant) error {
	session := sessions.NewSession(c, c.service.CookieName())
	session.ID, session.IsNew, session.Options = g.Secret, true, c.service.cookieOptions()
	return session.Save(r, w)
}

// Save keeps the values of a session and sets its cookie, or ends both.
func (c CookieStore) Save(r *http.Request, w http.ResponseWriter, session *sessions.Session) error {
	if session.Options.MaxAge < 0 {
		if err := c.end(r, session.ID); err != nil {
			return err
		}
		session.ID = ""
		http.SetCookie(w, sessions.NewCookie(session.Name(), "", session.Options))
		return nil
	}
	if !isSecret(sessionPrefix, session.ID) {
		return errors.New("identity: a session that nobody signed in to cannot be saved")
	}
	data, err := encodeValues(session.Values)
	if err != nil {
		return err
	}
	if err := db.New(c.service.Pool).SessionSetData(r.Context(), data, hashOf(session.ID)); err != nil {
		return unavailable(err)
	}
	http.SetCookie(w, sessions.NewCookie(session.Name(), session.ID, session.Options))
	return nil
}

// end revokes the session of a secret, if there is one.
func (c CookieStore) end(r *http.Request, secret string) error {
	if !isSecret(sessionPrefix, secret) {
		return nil
	}
	s, ctx := c.service, r.Context()
	err := db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		ended, err := q.SessionRevokeByHash(ctx, s.now(), hashOf(secret))
		if err != nil || len(ended) == 0 {
			return err
		}
		return audit.Append(ctx, q, audit.Entry{Action: "auth.logout", Object: ended[0].UserID.String(), Outcome: audit.OK})
	})
	if err == nil {
		s.changed(ctx)
	}
	return err
}

// cookieOptions are the attributes of the session cookie. It has no age of its
// own: it goes with the browser, and the session behind it ends by its limits.
func (s *Service) cookieOptions() *sessions.Options {
	return &sessions.Options{Path: "/", Secure: !s.Plain, HttpOnly: true, SameSite: http.SameSiteLaxMode}
}

func encodeValues(values map[any]any) ([]byte, error) {
	if len(values) == 0 {
		return []byte{}, nil
	}
	named := make(map[string]any, len(values))
	for k, v := range values {
		name, ok := k.(string)
		if !ok {
			return nil, fmt.Errorf("identity: session value %v is not named by text", k)
		}
		named[name] = v
	}
	data, err := json.Marshal(named)
	if err == nil && len(data) > maxSessionData {
		err = fmt.Errorf("identity: session values take %d bytes, more than %d", len(data), maxSessionData)
	}
	return data, err
}

func decodeValues(data []byte, into map[any]any) error {
	if len(data) == 0 {
		return nil
	}
	var named map[string]any
	if err := json.Unmarshal(data, &named); err != nil {
		return fmt.Errorf("identity: session values: %w", err)
	}
	for k, v := range named {
		into[k] = v
	}
	return nil
}
