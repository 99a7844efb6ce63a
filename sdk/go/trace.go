package vivified

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"regexp"
	"strings"
)

// lineage is where the work in hand comes from: the trace it belongs to, and
// the user it is done for.
type lineage struct {
	trace      string // 32 lower-case hex digits (W3C trace context)
	delegation string // opaque proof from the core that the plugin acts for a user
}

type lineageKey struct{}

// traceparentForm is version 00 of the W3C traceparent header.
var traceparentForm = regexp.MustCompile(`^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$`)

// WithTraceparent returns a context whose requests continue the trace of a W3C
// traceparent header. A malformed header leaves ctx as it is.
func WithTraceparent(ctx context.Context, header string) context.Context {
	match := traceparentForm.FindStringSubmatch(header)
	if match == nil || match[1] == strings.Repeat("0", 32) {
		return ctx
	}
	from, _ := ctx.Value(lineageKey{}).(lineage)
	from.trace = match[1]
	return context.WithValue(ctx, lineageKey{}, from)
}

// withDelegation returns a context whose operator calls act for the user the core named.
func withDelegation(ctx context.Context, proof string) context.Context {
	if proof == "" {
		return ctx
	}
	from, _ := ctx.Value(lineageKey{}).(lineage)
	from.delegation = proof
	return context.WithValue(ctx, lineageKey{}, from)
}

// TraceID returns the trace that ctx belongs to, or "" outside any.
func TraceID(ctx context.Context) string {
	from, _ := ctx.Value(lineageKey{}).(lineage)
	return from.trace
}

// traceparent returns the header for one request made under ctx: a new span of
// its trace, or of a new trace.
func traceparent(ctx context.Context) string {
	trace := TraceID(ctx)
	if trace == "" {
		trace = randomHex(16)
	}
	return "00-" + trace + "-" + randomHex(8) + "-01"
}

// randomHex returns n random bytes in hex. Reading from crypto/rand never fails.
func randomHex(n int) string {
	bytes := make([]byte, n)
	rand.Read(bytes)
	return hex.EncodeToString(bytes)
}
