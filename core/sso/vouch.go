package sso

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/db"
)

// vouched is whom a provider vouched for, and what it gave along.
type vouched struct {
	external identity.Vouched
	raw      string // ID token
	sid      string
}

// notVouched is what a person is told of a sign-in that failed between the provider
// and the core: nothing they could do anything about.
func notVouched() *fault.Fault {
	return fault.New(fault.Unauthenticated, "sso.refused", "The sign-in could not be verified. Start again; if it fails once more, tell whoever runs this.")
}

// notAsked is what a person is told whom the provider let through without asking.
func notAsked() *fault.Fault {
	return fault.New(fault.Denied, "sso.not_asked", "The identity provider did not ask you to sign in just now, so this proves nothing. Confirm in another way; if there is none, tell whoever runs this.")
}

// vouched goes from a return to who the provider says it is.
func (s *Service) vouched(ctx context.Context, p Provider, flow db.SSOFlow, back Return, t *tracing) (vouched, error) {
	c, err := s.connect(ctx, p)
	if err != nil {
		f := fault.Of(err)
		return vouched{}, t.fail("discovery", "Ask the provider what it is", causeOf(f), discoveryFix(f), f)
	}
	t.step("discovery", "Ask the provider what it is", discovered(p, c))
	code, err := answerOf(p, c, back.Query, t)
	if err != nil {
		return vouched{}, err
	}
	tokens, err := s.exchange(ctx, p, c, flow, back, code, t)
	if err != nil {
		return vouched{}, err
	}
	raw, _ := tokens.Extra("id_token").(string)
	if raw == "" {
		return vouched{}, t.fail("token", "Verify the ID token", "The provider sent no ID token.", "Ask for the scope openid, and make sure that the provider speaks OpenID Connect, not OAuth alone.", notVouched())
	}
	doc, err := s.idToken(ctx, p, c, raw, tokens.AccessToken, flow.Nonce)
	t.doc = doc
	if err != nil {
		return vouched{}, t.fail("token", "Verify the ID token", err.Error(), fixOf(err), notVouched())
	}
	t.Issuer, t.Subject = p.Issuer, doc["sub"].(string)
	t.Account = t.Subject
	t.step("token", "Verify the ID token", fmt.Sprintf("Signature, issuer, audience, nonce and time are right; the subject is %s.", t.Subject))
	shown, err := s.proof(p, flow, doc, t)
	if err != nil {
		return vouched{}, err
	}
	if p.Options.UserInfo {
		if err := s.userInfo(ctx, p, c, tokens, doc, t); err != nil {
			return vouched{}, err
		}
	}
	who, err := s.describe(ctx, p, doc, raw, t)
	who.external.Factor, who.external.ProvedAt = shown.factor, shown.at
	return who, err
}

// discovered says in words how the provider is spoken with.
func discovered(p Provider, c *connection) string {
	text := "It answers as " + p.Issuer + " and signs by " + strings.Join(c.algs, ", ") + "."
	if len(c.meta.Challenges) > 0 && !slices.Contains(c.meta.Challenges, "S256") {
		text += " It does not announce PKCE by S256."
	}
	return text
}

// answerOf reads the provider's answer: a code, or why there is none.
func answerOf(p Provider, c *connection, q url.Values, t *tracing) (string, error) {
	const title = "Come back from the provider"
	// RFC 9207: an answer of another provider that this browser was led to.
	if iss, there := q["iss"]; there && (len(iss) != 1 || iss[0] != p.Issuer) || !there && c.meta.IssInAnswer {
		return "", t.fail("return", title, "The answer is not marked as one of this issuer.", "Something stands between the browser and the provider, or the issuer is written differently here.", notVouched())
	}
	if failed := q.Get("error"); failed != "" {
		text := told(failed)
		if d := q.Get("error_description"); d != "" {
			text += " It says: “" + clip(strings.Map(printableRune, d)) + "”."
		}
		return "", t.fail("return", title, text, answerFix[failed], fault.New(fault.Denied, "sso.provider", "%s", text))
	}
	code, err := single(q, "code")
	if err != nil || code == "" || len(code) > 8192 {
		return "", t.fail("return", title, "The answer holds no code.", "The provider must answer with response_type=code in the query.", notVouched())
	}
	t.step("return", title, "State, browser and issuer are those it was started with.")
	return code, nil
}

// answers are what the errors of RFC 6749 section 4.1.2.1 and OpenID Connect Core
// section 3.1.2.6 mean to a person.
var answers = map[string]string{
	"access_denied":              "The provider did not let you in, or you cancelled.",
	"login_required":             "The provider wants you to sign in there first.",
	"consent_required":           "The provider wants you to agree there first.",
	"interaction_required":       "The provider wants to ask you something there first.",
	"account_selection_required": "The provider wants you to choose an account there first.",
	"invalid_scope":              "The provider does not know a scope it was asked for.",
	"unauthorized_client":        "The provider does not let this client sign people in.",
	"invalid_request":            "The provider did not accept the request.",
	"unsupported_response_type":  "The provider does not let this client use the code flow.",
	"temporarily_unavailable":    "The provider is busy; try again shortly.",
	"server_error":               "The provider failed; try again shortly.",
}

// answerFix says what whoever runs this does about them.
var answerFix = map[string]string{
	"access_denied":             "Check at the provider whether this person is assigned to the application.",
	"invalid_scope":             "Take the scope away that the provider does not know; groups is the usual one.",
	"unauthorized_client":       "Allow the authorization code flow for this client at the provider.",
	"unsupported_response_type": "Allow the authorization code flow for this client at the provider.",
	"invalid_request":           "Compare redirect URI and client id with those registered at the provider.",
}

func told(failed string) string {
	if text, ok := answers[failed]; ok {
		return text
	}
	return "The provider answered with the error “" + clip(strings.Map(printableRune, failed)) + "”."
}

func printableRune(c rune) rune {
	if unicode.IsPrint(c) {
		return c
	}
	return -1
}

// exchange gives the code for tokens, with the proof that it was asked for here.
func (s *Service) exchange(ctx context.Context, p Provider, c *connection, flow db.SSOFlow, back Return, code string, t *tracing) (*oauth2.Token, error) {
	const title = "Exchange the code"
	client, err := s.oauth(p, c)
	if err != nil {
		return nil, t.fail("code", title, "The client secret cannot be opened with this master key.", "Enter the client secret again.", notVouched())
	}
	verifier, err := s.Sealer.Open(flow.Verifier, verifierAAD(back.Query.Get("state")))
	if err != nil {
		return nil, t.fail("code", title, "The proof of the code cannot be opened with this master key.", "Start the sign-in again.", notVouched())
	}
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, c.client), patience)
	defer cancel()
	tokens, err := client.Exchange(ctx, code, oauth2.VerifierOption(string(verifier)))
	if err == nil {
		t.step("code", title, "The provider took the code, the client and the PKCE verifier.")
		return tokens, nil
	}
	refused, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		f := fault.New(fault.BadGateway, "sso.exchange", "The identity provider did not answer as it should; try again shortly.").Because(err)
		return nil, t.fail("code", title, causeOf(f), "Look whether the core reaches the provider's token endpoint "+c.provider.Endpoint().TokenURL+".", f)
	}
	text := "The provider refused with “" + clip(refused.ErrorCode) + "”."
	if refused.ErrorCode == "" {
		text = "The provider answered " + refused.Response.Status + "."
	}
	if refused.ErrorDescription != "" {
		text += " It says: “" + clip(strings.Map(printableRune, refused.ErrorDescription)) + "”."
	}
	fix := exchangeFix[refused.ErrorCode]
	return nil, t.fail("code", title, text, fix, notVouched().Because(errors.New(text)))
}

// exchangeFix says what whoever runs this does about the errors of RFC 6749 section 5.2.
var exchangeFix = map[string]string{
	"invalid_client":      "Enter the client secret again; it may have run out at the provider.",
	"invalid_grant":       "Compare the redirect URI with the one registered at the provider; a code also works only once and for a few minutes.",
	"unauthorized_client": "Allow the authorization code flow for this client at the provider.",
	"invalid_request":     "Look in the provider's log what it misses in the request.",
}

// userInfo adds the claims of the userinfo endpoint. What the ID token says itself
// is signed, and stays.
func (s *Service) userInfo(ctx context.Context, p Provider, c *connection, tokens *oauth2.Token, doc Document, t *tracing) error {
	const title = "Ask for more claims"
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, c.client), patience)
	defer cancel()
	if err := endpoint(p.Issuer, c.provider.UserInfoEndpoint()); err != nil {
		return t.fail("userinfo", title, "The provider has no userinfo endpoint that may be asked.", "Switch the userinfo endpoint off for this provider.", notVouched())
	}
	info, err := c.provider.UserInfo(ctx, oauth2.StaticTokenSource(tokens))
	if err != nil {
		return t.fail("userinfo", title, clip(err.Error()), "Switch the userinfo endpoint off, or look in the provider's log.", notVouched())
	}
	// OpenID Connect Core section 5.3.2: else it may be about somebody else.
	if subtle.ConstantTimeCompare([]byte(info.Subject), []byte(t.Subject)) != 1 {
		return t.fail("userinfo", title, "The userinfo endpoint speaks of another subject.", "Look in the provider's log; this must never be.", notVouched())
	}
	var raw json.RawMessage
	if err := info.Claims(&raw); err != nil {
		return t.fail("userinfo", title, "The answer is no JSON.", "Let the provider answer with unsigned JSON.", notVouched())
	}
	more, err := ParseDocument(raw)
	if err != nil {
		return t.fail("userinfo", title, "The "+err.Error()+".", "Let the provider send fewer claims.", notVouched())
	}
	added := 0
	for name, v := range more {
		if _, has := doc[name]; !has {
			doc[name] = v
			added++
		}
	}
	t.step("userinfo", title, fmt.Sprintf("%d claims more.", added))
	return nil
}

// describe reads from the claims who it is, whether they may come, and what they get.
func (s *Service) describe(ctx context.Context, p Provider, doc Document, raw string, t *tracing) (vouched, error) {
	email := strings.ToLower(doc.Text(p.Claims.Email))
	if email != "" && oneLine(email, 254) {
		t.Account = email
	}
	if err := mayCome(p, doc, email, t); err != nil {
		return vouched{}, err
	}
	m, err := s.DryRun(ctx, doc, p.Rules)
	if err != nil {
		return vouched{}, err
	}
	t.step("mapping", "Map claims to roles", mappedWords(m))
	sid, _ := doc["sid"].(string)
	if !oneLine(sid, 255) {
		sid = ""
	}
	return vouched{raw: raw, sid: sid, external: identity.Vouched{
		Issuer: p.Issuer, Subject: t.Subject, Email: email, Name: doc.Text(p.Claims.Name), Gives: m.external(p.ID),
	}}, nil
}

// mayCome refuses people whose address the provider does not stand for, or whose
// domain was not let in.
func mayCome(p Provider, doc Document, email string, t *tracing) error {
	const title = "Check the address"
	verified := doc.Text("email_verified") == "true"
	if len(p.Domains) == 0 && (!p.Options.Create || verified || p.Options.TrustEmail) {
		return nil
	}
	if email == "" {
		return t.fail("address", title, "There is no address at "+p.Claims.Email+".", personFix["identity.email_missing"],
			fault.New(fault.Denied, "sso.email", "The identity provider named no e-mail address for you, and one is needed here."))
	}
	if !verified && !p.Options.TrustEmail {
		return t.fail("address", title, "The provider does not say that the address is verified.", "Let people verify their address at the provider; or, if the provider gives out all addresses itself, as Entra ID does, trust them in its settings.",
			fault.New(fault.Denied, "sso.email", "The identity provider has not verified your e-mail address."))
	}
	_, domain, _ := strings.Cut(email, "@")
	if len(p.Domains) > 0 && !slices.Contains(p.Domains, domain) {
		return t.fail("address", title, fmt.Sprintf("Addresses at %q were not let in.", clip(domain)), "Add the domain to this provider, if its people may sign in.",
			fault.New(fault.Denied, "sso.domain", "People with your e-mail domain are not let in by this provider."))
	}
	return nil
}

func mappedWords(m Mapping) string {
	if len(m.Mapped) == 0 {
		return "No rule matched: no role is given. " + strings.Join(m.Hints, " ")
	}
	names := make([]string, len(m.Mapped))
	for i, g := range m.Mapped {
		names[i] = string(g.Kind) + " " + g.Name
	}
	return "Gives " + strings.Join(names, ", ") + "."
}

// fixOf returns what puts a refused token right.
func fixOf(err error) string {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r.fix
	}
	return ""
}

// discoveryFix says what whoever runs this does about a provider that is not found.
func discoveryFix(f *fault.Fault) string {
	cause := causeOf(f)
	switch {
	case strings.Contains(cause, "did not match the issuer"):
		return "Write the issuer exactly as the provider's discovery document has it, with or without a slash at its end."
	case errors.Is(f.Cause, errAddress):
		return "The provider leads to an address that may not be asked: one of the core's own, or a private one of another host than the issuer's."
	case strings.Contains(cause, "certificate"):
		return "The provider's certificate is not signed by an authority this machine knows; name yours in proxy_ca_file."
	case strings.Contains(cause, "404"):
		return "There is no discovery document below this issuer; check its path, such as the tenant or realm."
	}
	return "Look whether this machine reaches the issuer, and whether the issuer is written as the provider states it."
}
