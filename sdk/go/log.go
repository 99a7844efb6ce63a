package vivified

import (
	"context"
	"log/slog"
)

// traced adds the trace of the work in hand to every line that is logged under
// its context, so that a plugin's lines can be found beside the core's.
type traced struct{ slog.Handler }

func (t traced) Handle(ctx context.Context, r slog.Record) error {
	if trace := TraceID(ctx); trace != "" {
		r = r.Clone()
		r.AddAttrs(slog.String("trace_id", trace))
	}
	return t.Handler.Handle(ctx, r)
}

func (t traced) WithAttrs(attrs []slog.Attr) slog.Handler { return traced{t.Handler.WithAttrs(attrs)} }

func (t traced) WithGroup(name string) slog.Handler { return traced{t.Handler.WithGroup(name)} }
