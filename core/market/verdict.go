package market

import (
	"context"
	"slices"

	"github.com/vivified/vivified/core/bundle"
	"github.com/vivified/vivified/core/manifest"
)

// Policy is what the operator demands of plugins. It may change while running.
type Policy struct {
	Signatures      int      // different keys that must have signed; 0: none has to
	AllowPublishers []string // only these; empty: any
	AllowPlugins    []string // only these ids; empty: any
	BlockPublishers []string
	BlockPlugins    []string // ids, or digests of single bundles
}

// Signer is a trusted key that signed a bundle.
type Signer struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Reason is why a bundle may not be installed.
type Reason struct {
	Code     string `json:"code"`
	Sentence string `json:"detail"`
}

// Verdict is what the operator's rules say of a bundle.
type Verdict struct {
	Signers []Signer `json:"signers"`
	Needed  int      `json:"signatures_needed"`
	Blocked []Reason `json:"blocked"` // empty: it may be installed
}

// rules are what bundles are judged by at one moment.
type rules struct {
	Policy
	keys     []bundle.PublicKey
	names    map[string]string // of the keys
	runtimes []string
}

func (s *Service) rules(ctx context.Context) (rules, error) {
	keys, names, err := s.trusted(ctx)
	return rules{s.Policy(), keys, names, s.Runtimes()}, err
}

// judge applies the rules. Every reason is given, not only the first.
func (p rules) judge(ctx context.Context, b *bundle.Bundle, m *manifest.Manifest, broken error) (Verdict, error) {
	v := Verdict{Signers: []Signer{}, Needed: p.Signatures, Blocked: []Reason{}}
	block := func(code, sentence string) { v.Blocked = append(v.Blocked, Reason{code, sentence}) }
	if broken != nil {
		block("manifest.invalid", "Its manifest breaks a rule: "+sentence(broken))
		return v, nil
	}
	envelopes, err := b.Signatures()
	if err != nil {
		return v, err
	}
	if len(envelopes) > 0 {
		signed, err := bundle.Signers(ctx, p.keys, b.Digest, bundle.Release{ID: m.ID, Version: m.Version}, envelopes)
		if err != nil {
			return v, err
		}
		for _, k := range signed {
			v.Signers = append(v.Signers, Signer{k.ID(), p.names[k.ID()]})
		}
	}
	if n := len(v.Signers); n < p.Signatures {
		switch {
		case len(envelopes) == 0:
			block("signature.missing", "Nobody signed it, and this installation asks for "+count(p.Signatures, "trusted signature")+".")
		default:
			block("signature.untrusted", "It carries "+count(n, "trusted signature")+", and this installation asks for "+count(p.Signatures, "")+".")
		}
	}
	if slices.Contains(p.BlockPlugins, m.ID) || slices.Contains(p.BlockPlugins, b.Digest) {
		block("plugin.blocked", "The operator blocked this plugin.")
	}
	if slices.Contains(p.BlockPublishers, m.Publisher) {
		block("publisher.blocked", "The operator blocked its publisher, "+m.Publisher+".")
	}
	if len(p.AllowPlugins) > 0 && !slices.Contains(p.AllowPlugins, m.ID) {
		block("plugin.not_allowed", "It is not among the plugins that the operator allows.")
	}
	if len(p.AllowPublishers) > 0 && !slices.Contains(p.AllowPublishers, m.Publisher) {
		block("publisher.not_allowed", "Its publisher is not among those that the operator allows.")
	}
	if kind := runtimeOf(m); !slices.Contains(p.runtimes, kind) {
		block("runtime.unavailable", "This installation has no runtime for plugins of kind "+kind+".")
	}
	if kind := runtimeOf(m); kind != manifest.External && m.Kind == manifest.Service {
		if _, ok := b.Image(); !ok {
			block("bundle.no_image", "It holds no image that could be started.")
		}
	}
	return v, nil
}
