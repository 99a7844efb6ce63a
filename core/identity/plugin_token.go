package identity

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"time"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/db"
)

// What a plugin token says.
const (
	pluginTokenLife = 15 * time.Minute
	pluginAudience  = "vivified-core"
	pluginType      = "plugin"
	maxTokenTraits  = 64 // more would make a token that fits no header; they only inform
)

// pluginClaims are the claims of a plugin token.
type pluginClaims struct {
	Issuer    string   `json:"iss"`
	Audience  string   `json:"aud"`
	Subject   string   `json:"sub"`
	PluginID  string   `json:"plugin_id"`
	Type      string   `json:"type"`
	Traits    []string `json:"traits"` // informative: decisions use the registry
	IssuedAt  int64    `json:"iat"`
	NotBefore int64    `json:"nbf"`
	Expires   int64    `json:"exp"`
	ID        string   `json:"jti"`
}

// PluginClaims is what a verified plugin token proves.
type PluginClaims struct {
	Plugin  string
	ID      string // jti
	KeyID   string
	Expires time.Time

	generation        int64
	family            familyTag
	issued, notBefore time.Time
}

// signPluginToken returns a token for a registered plugin, of a family of its refresh tokens.
func (s *Service) signPluginToken(ctx context.Context, p db.Plugin, family uuid.UUID) (string, error) {
	ring, err := s.ring(ctx)
	if err != nil {
		return "", err
	}
	now := s.now()
	k, err := ring.signer(now)
	if err != nil {
		return "", err
	}
	traits := p.AcceptedTraits
	if len(traits) > maxTokenTraits {
		traits = traits[:maxTokenTraits]
	}
	at := now.Unix()
	return k.sign(pluginClaims{
		Issuer: s.Issuer, Audience: pluginAudience, Subject: p.ID, PluginID: p.ID, Type: pluginType, Traits: append([]string{}, traits...),
		IssuedAt: at, NotBefore: at, Expires: at + int64(pluginTokenLife/time.Second), ID: tokenID(p.Generation, tagOf(family)),
	})
}

// VerifyPluginToken proves a plugin token. Any token that is not exactly of the
// form signPluginToken issues, in its time, of a plugin and generation in force,
// is an Unauthenticated fault; that of a disabled plugin has the code
// plugin.disabled. Claims about traits are ignored. Whoever asks records a refusal.
func (s *Service) VerifyPluginToken(ctx context.Context, compact string) (PluginClaims, error) {
	c, why := s.verifyPluginToken(ctx, compact)
	if why != nil {
		return PluginClaims{}, why
	}
	return *c, nil
}

func (s *Service) verifyPluginToken(ctx context.Context, compact string) (*PluginClaims, error) {
	if len(compact) > maxToken {
		return nil, refused(&denial{Credential: CredentialPlugin, Reason: "too long"})
	}
	hash, now := sha256.Sum256([]byte(compact)), s.now()
	c, epoch, ok := s.plugins.get(hash, now)
	if !ok {
		var err error
		if c, err = s.proveToken(ctx, compact, now); err != nil {
			return nil, err
		}
		s.plugins.put(hash, c, epoch, c.Expires.Add(skew))
	}
	// What may change while a token lives is looked at every time.
	ring, err := s.ring(ctx)
	if err != nil {
		return nil, err
	}
	reason := c.untimely(ring.find(c.KeyID), now)
	if reason != "" {
		return nil, refused(c.denial(reason))
	}
	ended, err := s.familyEnded(ctx, c.family)
	if err != nil {
		return nil, err
	}
	state, generation, registered := s.Plugins.PluginStanding(c.Plugin)
	switch {
	case !registered:
		return nil, refused(c.denial("plugin not registered"))
	case generation != c.generation:
		return nil, refused(c.denial("revoked"))
	case ended:
		return nil, refused(c.denial("refresh token used twice"))
	case state == policy.Disabled, state == policy.Quarantined:
		return nil, standsBack(state).Because(c.denial("plugin " + string(state)))
	}
	return c, nil
}

// denial says why a token whose signature holds was refused.
func (c *PluginClaims) denial(reason string) *denial {
	return &denial{Credential: CredentialPlugin, Reason: reason, Plugin: c.Plugin, KeyID: digest(c.KeyID), TokenID: digest(c.ID)}
}

// proveToken checks everything about a token that cannot change later.
func (s *Service) proveToken(ctx context.Context, compact string, now time.Time) (*PluginClaims, error) {
	d := &denial{Credential: CredentialPlugin}
	t, err := parseToken(compact)
	if err != nil {
		d.Reason = err.Error()
		return nil, refused(d)
	}
	kid, _ := t.header.str("kid")
	jti, _ := t.payload.str("jti")
	d.KeyID, d.TokenID = digest(kid), digest(jti)
	alg, _ := t.header.str("alg")
	typ, _ := t.header.str("typ")
	if alg != "EdDSA" || typ != "JWT" || len(t.header) != 3 {
		d.Reason = "header is not alg EdDSA, typ JWT and kid alone"
		return nil, refused(d)
	}
	k, err := s.keyFor(ctx, kid, now)
	if err != nil {
		return nil, err
	}
	if k == nil {
		d.Reason = "unknown key"
		return nil, refused(d)
	}
	if len(t.signature) != ed25519.SignatureSize || !ed25519.Verify(k.public, t.input, t.signature) {
		d.Reason = "signature"
		return nil, refused(d)
	}
	c, reason := s.readClaims(t.payload)
	if reason != "" {
		d.Reason = reason
		return nil, refused(d)
	}
	c.KeyID = kid
	return c, nil
}

// readClaims returns the claims of a payload whose signature holds, or what is
// wrong with them.
func (s *Service) readClaims(p object) (c *PluginClaims, reason string) {
	for _, want := range [...]struct{ name, value string }{{"iss", s.Issuer}, {"aud", pluginAudience}, {"type", pluginType}} {
		if got, ok := p.str(want.name); !ok || got != want.value {
			return nil, want.name
		}
	}
	sub, _ := p.str("sub")
	plugin, _ := p.str("plugin_id")
	if sub == "" || sub != plugin {
		return nil, "sub and plugin_id"
	}
	jti, _ := p.str("jti")
	generation, family, ok := readTokenID(jti)
	if !ok {
		return nil, "jti"
	}
	issued, ok1 := p.seconds("iat")
	notBefore, ok2 := p.seconds("nbf")
	expires, ok3 := p.seconds("exp")
	if !ok1 || !ok2 || !ok3 || !expires.After(issued) || expires.Sub(issued) > pluginTokenLife || notBefore.Before(issued) || notBefore.After(expires) {
		return nil, "iat, nbf, exp"
	}
	return &PluginClaims{Plugin: plugin, ID: jti, Expires: expires, generation: generation, family: family, issued: issued, notBefore: notBefore}, ""
}

// untimely says why a token is not good at now, or by key k, which is nil when it
// is no more; "" when it is good. A key signs nothing outside its own time, so a
// retired key that leaked later is of no use.
func (c *PluginClaims) untimely(k *key, now time.Time) string {
	switch {
	case k == nil || !now.Before(k.expires):
		return "key expired"
	case now.Before(k.notBefore):
		return "key not in force yet"
	case c.issued.Before(k.notBefore.Add(-skew)) || c.issued.After(k.retire.Add(skew)):
		return "issued outside the time of its key"
	case now.After(c.Expires.Add(skew)):
		return "expired"
	case now.Before(c.notBefore.Add(-skew)) || now.Before(c.issued.Add(-skew)):
		return "not valid yet"
	}
	return ""
}

// keyFor returns the key of that id, or nil. An id we do not know may be new: the
// keys are read again for it, at most once a second.
func (s *Service) keyFor(ctx context.Context, kid string, now time.Time) (*key, error) {
	ring, err := s.ring(ctx)
	if err != nil {
		return nil, err
	}
	if k := ring.find(kid); k != nil || len(kid) != 43 {
		return k, nil
	}
	if last := s.missed.Load(); now.UnixNano()-last < int64(time.Second) || !s.missed.CompareAndSwap(last, now.UnixNano()) {
		return nil, nil
	}
	s.stale.Store(true)
	if ring, err = s.ring(ctx); err != nil {
		return nil, err
	}
	return ring.find(kid), nil
}

// tokenID returns a jti: a UUIDv8 (RFC 9562 section 5.8) whose first 48 bits are
// the plugin's generation, whose last 40 are the tag of the family, and whose other
// free bits are random.
func tokenID(generation int64, family familyTag) string {
	var b [16]byte
	rand.Read(b[:])
	var g [8]byte
	binary.BigEndian.PutUint64(g[:], uint64(generation))
	copy(b[:6], g[2:])
	copy(b[11:], family[:])
	b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80
	return uuid.UUID(b).String()
}

// readTokenID returns the generation and the family in a jti of ours.
func readTokenID(jti string) (generation int64, family familyTag, ok bool) {
	u, err := uuid.Parse(jti)
	if err != nil || u.String() != jti || u.Version() != 8 || u.Variant() != uuid.RFC4122 {
		return 0, family, false
	}
	var g [8]byte
	copy(g[2:], u[:6])
	return int64(binary.BigEndian.Uint64(g[:])), familyTag(u[11:]), true
}

// digest is how an identifier somebody sent us is named in the audit.
func digest(s string) string {
	if s == "" {
		return ""
	}
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:8])
}
