package proxy

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/net/http/httpguts"

	"github.com/vivified/vivified/core/fault"
)

// CredentialKind is how a credential is shown to a host.
type CredentialKind string

// The kinds.
const (
	HeaderCredential CredentialKind = "header" // a header of any name
	QueryCredential  CredentialKind = "query"  // a parameter of the query
	BasicCredential  CredentialKind = "basic"  // user name and password (RFC 7617)
	OAuth2Credential CredentialKind = "oauth2" // a token for client credentials (RFC 6749 section 4.4)
)

// Codes of what concerns credentials.
const (
	CodeCredential = "proxy.credential" // it cannot be used, or is malformed
	CodeToken      = "proxy.token"      // no token was issued for it
)

// Credential is what the core adds to a plugin's requests to one domain. Its
// secret is write-only: nothing returns it.
type Credential struct {
	Plugin string         `json:"plugin"`
	Domain string         `json:"domain"`
	Kind   CredentialKind `json:"kind"`
	Terms
	SetBy string    `json:"set_by,omitempty"`
	SetAt time.Time `json:"set_at,omitzero"`
}

// Terms are what is not secret of a credential.
type Terms struct {
	Name     string   `json:"name,omitempty"`      // of the header or parameter
	Username string   `json:"username,omitempty"`  // basic
	TokenURL string   `json:"token_url,omitempty"` // oauth2; https
	ClientID string   `json:"client_id,omitempty"`
	Scopes   []string `json:"scopes,omitempty"`
	Audience string   `json:"audience,omitempty"`
	InBody   bool     `json:"in_body,omitempty"` // oauth2: client id and secret go into the body, not into a header
}

const (
	minCredential = 8 // bytes; a shorter one would be found everywhere in answers
	maxCredential = 8 << 10
)

// notByCredential are never set by a credential: they are the transport's, or change where a
// request goes.
var notByCredential = []string{"Host", "Content-Length", "Transfer-Encoding", "Connection", "Te", "Trailer", "Upgrade", "Expect", "Accept-Encoding", "Content-Type", "Content-Encoding"}

// check returns an Unprocessable fault with everything that is wrong with c and secret.
func (c *Credential) check(secret string) error {
	var bad []fault.Violation
	wrong := func(field, message string) {
		bad = append(bad, fault.Violation{Rule: CodeCredential, Path: "/" + field, Message: message})
	}
	if len(secret) < minCredential || len(secret) > maxCredential || strings.ContainsFunc(secret, unicode.IsControl) {
		wrong("secret", "The secret is 8 bytes to 8 KiB of text on one line.")
	}
	switch c.Kind {
	case HeaderCredential:
		c.Name = http.CanonicalHeaderKey(c.Name)
		if !httpguts.ValidHeaderFieldName(c.Name) || slices.Contains(notByCredential, c.Name) || len(c.Name) > 100 {
			wrong("name", "The name is that of a header, such as Authorization or X-Api-Key.")
		}
		if !httpguts.ValidHeaderFieldValue(secret) {
			wrong("secret", "The secret has a character that no header may have.")
		}
	case QueryCredential:
		if c.Name == "" || len(c.Name) > 100 || strings.ContainsFunc(c.Name, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`&=#+%"<>`, r) }) {
			wrong("name", "The name is that of a parameter, such as api_key.")
		}
	case BasicCredential:
		if c.Username == "" || len(c.Username) > 500 || strings.ContainsFunc(c.Username, func(r rune) bool { return r == ':' || unicode.IsControl(r) }) {
			wrong("username", "The user name is text without a colon (RFC 7617).")
		}
	case OAuth2Credential:
		if t, err := ParseURL(c.TokenURL); err != nil || t.Plain() {
			wrong("token_url", "The token address is an https URL with a host name.")
		}
		if c.ClientID == "" || len(c.ClientID) > 500 || strings.ContainsFunc(c.ClientID, unicode.IsControl) {
			wrong("client_id", "The client id is missing.")
		}
		if slices.ContainsFunc(c.Scopes, func(s string) bool {
			return s == "" || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == '"' || r == '\\' || r > '~' })
		}) || len(c.Scopes) > 50 {
			wrong("scopes", "Scopes are words without spaces (RFC 6749, section 3.3), at most 50.")
		}
		if len(c.Audience) > 1000 || strings.ContainsFunc(c.Audience, unicode.IsControl) {
			wrong("audience", "The audience is at most 1,000 characters.")
		}
	default:
		wrong("kind", "The kind is header, query, basic or oauth2.")
	}
	if len(bad) == 0 {
		c.Terms = c.Terms.of(c.Kind)
		return nil
	}
	f := fault.New(fault.Unprocessable, CodeCredential, "The credential cannot be used as it is.")
	f.Violations = bad
	return f
}

// of leaves only the terms that a kind has.
func (t Terms) of(k CredentialKind) Terms {
	switch k {
	case HeaderCredential, QueryCredential:
		return Terms{Name: t.Name}
	case BasicCredential:
		return Terms{Username: t.Username}
	}
	t.Name, t.Username = "", ""
	return t
}

// inject adds the credential to a request, in place of whatever the plugin put
// there. For oauth2 the secret is the access token.
func (c *Credential) inject(r *http.Request, secret string) {
	switch c.Kind {
	case HeaderCredential:
		r.Header.Set(c.Name, secret)
	case QueryCredential:
		kept := withoutParameter(r.URL.RawQuery, c.Name)
		if kept != "" {
			kept += "&"
		}
		r.URL.RawQuery = kept + url.QueryEscape(c.Name) + "=" + url.QueryEscape(secret)
	case BasicCredential:
		r.SetBasicAuth(c.Username, secret)
	case OAuth2Credential:
		r.Header.Set("Authorization", "Bearer "+secret)
	}
}

// withoutParameter removes a parameter from a query, however it is escaped there,
// and leaves the rest as it is.
func withoutParameter(query, name string) string {
	if query == "" {
		return ""
	}
	return strings.Join(slices.DeleteFunc(strings.Split(query, "&"), func(pair string) bool {
		key, _, _ := strings.Cut(pair, "=")
		plain, err := url.QueryUnescape(key)
		return err != nil || plain == name
	}), "&")
}

// spellings are the texts by which an answer could give the secret away.
func (c *Credential) spellings(secret string) []string {
	all := []string{secret}
	switch c.Kind {
	case HeaderCredential:
		if _, token, ok := strings.Cut(secret, " "); ok { // as in Authorization: Bearer …
			all = append(all, token)
		}
	case QueryCredential:
		all = append(all, url.QueryEscape(secret), url.PathEscape(secret))
	case BasicCredential:
		all = append(all, base64.StdEncoding.EncodeToString([]byte(c.Username+":"+secret)))
	}
	all = slices.DeleteFunc(all, func(s string) bool { return len(s) < minCredential })
	slices.Sort(all)
	return slices.Compact(all)
}
