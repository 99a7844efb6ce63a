package sso

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/local"
)

// Limits of a draft.
const (
	maxURL    = 500
	maxSecret = 1024
	maxScopes = 20
	maxList   = 100 // domains
	maxRules  = 200
	maxText   = 200 // of a claim path or value
	maxWays   = 20  // values of amr, or of acr
)

var (
	idForm     = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)
	iconForm   = regexp.MustCompile(`^[a-z0-9-]{0,32}$`)
	scopeForm  = regexp.MustCompile(`^[\x21\x23-\x5B\x5D-\x7E]{1,100}$`) // RFC 6749 section 3.3
	domainForm = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)
)

// broken collects the rules a draft breaks.
type broken []fault.Violation

func (b *broken) add(rule, path, message, fix string) {
	*b = append(*b, fault.Violation{Rule: rule, Path: path, Message: message, Fix: fix})
}

// check returns a draft in the form in which it is kept.
func (s *Service) check(ctx context.Context, d Draft, before *Provider) (Draft, error) {
	var b broken
	d.Name, d.Issuer, d.ClientID = strings.TrimSpace(d.Name), strings.TrimSpace(d.Issuer), strings.TrimSpace(d.ClientID)
	if !idForm.MatchString(d.ID) {
		b.add("sso.id", "/id", "The id is not of lower-case letters, digits and hyphens, at most 32 long, beginning with a letter.", "Write something like okta.")
	}
	if d.Name == "" || !oneLine(d.Name, 60) {
		b.add("sso.name", "/name", "The name is missing, longer than 60 characters or not on one line.", "Write what people know the provider by.")
	}
	if !iconForm.MatchString(d.Icon) {
		b.add("sso.icon", "/icon", "This is not the name of an icon.", "Choose one of those offered.")
	}
	if why := issuerRefused(d.Issuer); why != "" {
		b.add("sso.issuer", "/issuer", why, "Copy the issuer as the provider's documentation or its discovery document states it.")
	}
	if d.ClientID == "" || !oneLine(d.ClientID, 255) {
		b.add("sso.client_id", "/client_id", "The client id is missing or longer than 255 characters.", "Copy it from the provider.")
	}
	if d.Secret != nil && (len(*d.Secret) > maxSecret || strings.ContainsFunc(*d.Secret, func(c rune) bool { return c < ' ' || c == 0x7f || c == utf8.RuneError })) {
		b.add("sso.secret", "/client_secret", "The client secret is longer than 1,024 bytes or has characters that cannot be sent.", "Copy it once more.")
	}
	d.Scopes = scopes(d.Scopes)
	if len(d.Scopes) > maxScopes || slices.ContainsFunc(d.Scopes, func(v string) bool { return !scopeForm.MatchString(v) }) {
		b.add("sso.scopes", "/scopes", "A scope has characters that no scope has, or there are more than 20.", "Separate scopes by spaces: openid email profile groups.")
	}
	d.Claims.Email, d.Claims.Name = cmp.Or(strings.TrimSpace(d.Claims.Email), "email"), cmp.Or(strings.TrimSpace(d.Claims.Name), "name")
	if !isPath(d.Claims.Email) || !isPath(d.Claims.Name) {
		b.add("sso.claim", "/claims", "This is not the path of a claim.", "Write its name, or names with dots between them.")
	}
	for i, v := range d.Domains {
		d.Domains[i] = strings.ToLower(strings.TrimPrefix(strings.TrimSpace(v), "@"))
	}
	d.Domains = distinct(d.Domains)
	if len(d.Domains) > maxList || slices.ContainsFunc(d.Domains, func(v string) bool { return !domainForm.MatchString(v) || len(v) > 253 }) {
		b.add("sso.domain", "/domains", "A domain is not one, or there are more than 100.", "Write domains such as example.com, separated by spaces.")
	}
	const fix = "Write the values as the provider sends them, separated by spaces."
	if d.Options.FactorAMR = distinct(d.Options.FactorAMR); !areWays(d.Options.FactorAMR) {
		b.add("sso.factor_amr", "/options/factor_amr", "A value of amr has characters that none has, or there are more than 20.", fix)
	}
	if d.Options.FactorACR = distinct(d.Options.FactorACR); !areWays(d.Options.FactorACR) {
		b.add("sso.factor_acr", "/options/factor_acr", "A value of acr has characters that none has, or there are more than 20.", fix)
	}
	if err := s.checkRules(ctx, d.Rules, &b); err != nil {
		return d, err
	}
	if d.Rules == nil {
		d.Rules = []Rule{}
	}
	if len(b) > 0 {
		f := fault.New(fault.Unprocessable, "sso.invalid", "The provider cannot be kept like this; each violation says what to change.")
		f.Violations = b
		return d, f
	}
	rules := slices.Clone(d.Rules)
	if before != nil {
		rules = append(rules, before.Rules...)
	}
	return d, s.mayMap(ctx, rules)
}

func (s *Service) checkRules(ctx context.Context, rules []Rule, b *broken) error {
	if len(rules) > maxRules {
		b.add("sso.rules", "/rules", fmt.Sprintf("There are more than %d rules.", maxRules), "Map groups to roles that carry several traits.")
		return nil
	}
	roles, err := s.People.Roles(ctx)
	if err != nil {
		return err
	}
	for i, r := range rules {
		at := fmt.Sprintf("/rules/%d", i)
		if !isPath(r.Claim) {
			b.add("sso.claim", at+"/claim", "This is not the path of a claim.", "Write its name, or names with dots between them.")
		}
		if !slices.Contains(Matches, r.Match) {
			b.add("sso.match", at+"/match", "A rule compares by equals, prefix or present.", "Choose one of these.")
		}
		if r.Match != Present && (r.Value == "" || !oneLine(r.Value, maxText)) {
			b.add("sso.value", at+"/value", "The value to compare with is missing or longer than 200 characters.", "Write it as the provider sends it; capital letters count.")
		}
		known, err := s.knows(ctx, r, roles)
		if err != nil {
			return err
		}
		if !known {
			b.add("sso.give", at+"/give", "There is no such role or group.", "Choose from the list.")
		}
	}
	return nil
}

// knows reports whether there is what a rule gives.
func (s *Service) knows(ctx context.Context, r Rule, roles []identity.Role) (bool, error) {
	if r.Kind == Role {
		return slices.ContainsFunc(roles, func(k identity.Role) bool { return k.Name == r.Give }), nil
	}
	id, err := uuid.Parse(r.Give)
	if r.Kind != Group || err != nil {
		return false, nil
	}
	if _, err = s.People.Group(ctx, id); fault.Is(err, fault.NotFound) {
		return false, nil
	}
	return err == nil, err
}

// issuerRefused says why an issuer cannot be one; "" when it can. It is compared
// letter by letter, so it is kept as it was written.
func issuerRefused(issuer string) string {
	u, err := url.Parse(issuer)
	switch {
	case err != nil || u.Host == "" || len(issuer) > maxURL || !oneLine(issuer, maxURL):
		return "The issuer is not an address such as https://login.example.com."
	case u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.ForceQuery:
		return "An issuer has neither a user nor a query nor a fragment."
	case u.Scheme != "https" && !(u.Scheme == "http" && local.Host(u.Hostname())):
		return "An issuer is reached by https; plain http is for this machine alone."
	}
	return ""
}

// areWays reports whether values can be those of amr or acr: they travel separated
// by spaces, as scopes do.
func areWays(values []string) bool {
	return len(values) <= maxWays && !slices.ContainsFunc(values, func(v string) bool { return !scopeForm.MatchString(v) })
}

func scopes(given []string) []string {
	all := []string{"openid"}
	for _, v := range given {
		all = append(all, strings.Fields(v)...)
	}
	if len(all) == 1 {
		all = append(all, "email", "profile")
	}
	return distinct(all)
}

// distinct returns the values that are not empty, each once, in their order.
func distinct(values []string) []string {
	out := []string{}
	for _, v := range values {
		if v != "" && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

func oneLine(text string, most int) bool {
	return utf8.ValidString(text) && utf8.RuneCountInString(text) <= most && !strings.ContainsFunc(text, func(c rune) bool { return !unicode.IsPrint(c) })
}
