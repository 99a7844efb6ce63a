package settings

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vivified/vivified/core/fault"
)

// Settings answers what each key is set to. Reads take neither lock nor query.
// It is safe for concurrent use.
type Settings struct {
	fixed   layers // default, file and environment: they do not change while the core runs
	current atomic.Pointer[snapshot]

	backing atomic.Pointer[backing] // nil until Attach
	guards  [keyCount]Guard

	mu   sync.Mutex // one reading of the database at a time, so that the latest wins
	hear []func(changed []Key)

	carryMu sync.Mutex
	carry   chan struct{} // closed when a plugin's settings change; nil: nobody waits
}

// backing is the database layer.
type backing struct {
	Config
	start *snapshot // what was in force when it was attached
}

// setting is what one layer says of one key.
type setting struct {
	value   any // see parseText
	origin  Origin
	version int64 // database only
}

// layers holds what each layer says of each key; nil: nothing.
type layers [keyCount][layerCount]*setting

// snapshot is the settings at one time.
type snapshot struct {
	layers
	ignored map[Key]string // why what the database holds for a key does not count
}

// effective returns what is in force for k.
func (l *layers) effective(k Key) *setting {
	for i := layerCount - 1; i > 0; i-- {
		if s := l[k][i]; s != nil {
			return s
		}
	}
	return l[k][Default]
}

// New returns the settings that defaults, file and environment make. env maps
// variables to values; only cmd reads the real one. file is the content of
// vivified.yaml, see [ReadFile]; nil when there is none.
//
// Everything wrong is reported at once, in one Invalid fault: unknown names,
// values of the wrong shape, and keys that contradict each other.
func New(env map[string]string, file []byte) (*Settings, error) {
	s := &Settings{fixed: defaults()}
	var p problems
	p.fileLayer(file, &s.fixed)
	p.environmentLayer(env, &s.fixed)
	p.contradictions(&s.fixed)
	if err := p.err(fault.Invalid, "settings.invalid"); err != nil {
		return nil, err
	}
	s.current.Store(&snapshot{layers: s.fixed})
	return s, nil
}

// defaults returns the lowest layer.
func defaults() layers {
	var l layers
	for k := range l {
		v, must := definitions[k].parseText(definitions[k].Default)
		if must != "" {
			panic(fmt.Sprintf("settings: the default of %s %s", Key(k), must)) // a test reads every default
		}
		l[k][Default] = &setting{value: v, origin: Origin{Layer: Default}}
	}
	return l
}

// get returns the value of k as a T, which must be the Go type of k's [Type].
func get[T any](s *Settings, k Key) T {
	v, ok := s.current.Load().effective(k).value.(T)
	if !ok {
		panic(fmt.Sprintf("settings: %s is of type %s, not %T", k, definitions[k].Type, v))
	}
	return v
}

// String returns the value of a key of TypeString or TypeEnum.
func (s *Settings) String(k Key) string { return get[string](s, k) }

// Int returns the value of a key of TypeInt.
func (s *Settings) Int(k Key) int { return int(get[int64](s, k)) }

// Bool returns the value of a key of TypeBool.
func (s *Settings) Bool(k Key) bool { return get[bool](s, k) }

// Duration returns the value of a key of TypeDuration.
func (s *Settings) Duration(k Key) time.Duration { return get[time.Duration](s, k) }

// Strings returns the value of a key of TypeStrings.
func (s *Settings) Strings(k Key) []string { return slices.Clone(get[[]string](s, k)) }

// Prefixes returns the value of a key of TypeStrings whose items are networks or
// addresses: an address is the network of it alone.
func (s *Settings) Prefixes(k Key) []netip.Prefix {
	var prefixes []netip.Prefix
	for _, text := range get[[]string](s, k) {
		if p, ok := parsePrefix(text); ok { // checked when it was set
			prefixes = append(prefixes, p)
		}
	}
	return prefixes
}

// JSON reads the value of a key of TypeJSON into v, as json.Unmarshal does.
func (s *Settings) JSON(k Key, v any) error {
	if err := json.Unmarshal(get[json.RawMessage](s, k), v); err != nil {
		return fmt.Errorf("read setting %s: %w", k, err)
	}
	return nil
}

// Origin says which layer gives k its value, who set it and when.
func (s *Settings) Origin(k Key) Origin { return s.current.Load().effective(k).origin }
