package policy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/trait"
)

// hundred is a document as one could be: rules that bind every call of an
// operation, rules for single callers and targets, hours, and permits.
func hundred(tb testing.TB) *policy.Document {
	var text strings.Builder
	for i := range 100 {
		fmt.Fprintf(&text, "@id(\"rule-%d\") @reason(\"Because.\")\n", i)
		switch i % 5 {
		case 0:
			fmt.Fprintf(&text, `forbid (principal, action == Action::"operator.call", resource) when { principal.traits.contains("external_service") && resource.classes.contains("phi") && context.hour == %d };`, i%24)
		case 1:
			fmt.Fprintf(&text, `forbid (principal == Plugin::"plugin-%d", action in Action::"lanes", resource);`, i)
		case 2:
			fmt.Fprintf(&text, `forbid (principal, action == Action::"operator.call", resource in Plugin::"plugin-%d") unless { principal.traits.contains("handles_phi") };`, i)
		case 3:
			fmt.Fprintf(&text, `permit (principal == Plugin::"plugin-%d", action == Action::"operator.call", resource == Operation::"profiles/get_profile");`, i)
		case 4:
			fmt.Fprintf(&text, `forbid (principal, action in Action::"lanes", resource) when { context has on_behalf && context.on_behalf.tenant == "tenant-%d" };`, i)
		}
		text.WriteString("\n\n")
	}
	return compiled(tb, text.String())
}

// unscoped is the worst that a hundred rules can be: each is asked of each call.
func unscoped(tb testing.TB) *policy.Document {
	var text strings.Builder
	for i := range 100 {
		fmt.Fprintf(&text, "@id(\"rule-%d\") @reason(\"Because.\")\nforbid (principal, action, resource) when { principal.traits.contains(\"external_service\") && context.hour == %d };\n\n", i, i%24)
	}
	return compiled(tb, text.String())
}

func TestAllowedCallsAllocateNothing(t *testing.T) {
	plain := policy.New(trait.Builtin())
	for name, p := range map[string]*policy.Policy{"without admin rules": plain, "with a hundred": plain.With(hundred(t), 1)} {
		r := call()
		if n := testing.AllocsPerRun(1000, func() { p.Decide(&r) }); n > 0 {
			t.Errorf("%s, an allowed call costs %v allocations", name, n)
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	plain := policy.New(trait.Builtin())
	for _, bench := range []struct {
		name string
		p    *policy.Policy
	}{{"builtin", plain}, {"hundred", plain.With(hundred(b), 1)}, {"unscoped", plain.With(unscoped(b), 1)}} {
		b.Run(bench.name, func(b *testing.B) {
			r := call()
			r.At = time.Date(2026, 3, 17, 14, 0, 0, 0, time.UTC)
			b.ReportAllocs()
			for b.Loop() {
				bench.p.Decide(&r)
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	text := hundred(b).Text()
	b.ReportAllocs()
	for b.Loop() {
		policy.Compile(text, trait.Builtin())
	}
}
