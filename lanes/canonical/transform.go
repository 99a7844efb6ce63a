package canonical

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/jq"
	"github.com/vivified/vivified/core/manifest"
)

// transformer is one of a manifest, compiled.
type transformer struct {
	manifest.Transformer
	program *jq.Program // nil: this version does not take the program, and nothing passes
}

func compileTransformer(t manifest.Transformer) *transformer {
	program, err := jq.Compile(t.Expression)
	if err != nil {
		program = nil
	}
	return &transformer{t, program}
}

// errProgram is what a program gives that an earlier version took and this one does not.
var errProgram = errors.New("is not available in this version")

// run maps data. The error quotes nothing of it.
func (t *transformer) run(ctx context.Context, data []byte, l Limits) ([]byte, error) {
	if t.program == nil {
		return nil, errProgram
	}
	out, err := t.program.Run(ctx, data, jq.Limits{Time: l.Transform, Size: l.Data})
	if err != nil {
		return nil, errors.New(jq.Reason(err))
	}
	return out, nil
}

// canonical maps what a publisher sent to the form it declares, by its own
// transformer if it has one. The error is an Unprocessable fault.
func (l *Lane) canonical(ctx context.Context, p publication, data json.RawMessage) (json.RawMessage, error) {
	if p.transformer == nil {
		return data, nil
	}
	out, err := p.transformer.run(ctx, data, l.Limits)
	if err != nil {
		return nil, transformFault(p.transformer, err)
	}
	return out, nil
}

// own maps what a receiver may see of an event to the receiver's own form, by its
// own transformer if it has one. The error is the reason for a dead letter.
func (l *Lane) own(m *manifest.Manifest, typ string, data []byte) ([]byte, error) {
	t := l.compiledOf(m).hearing(typ)
	if t == nil {
		return data, nil
	}
	out, err := t.run(context.Background(), data, l.Limits)
	if err != nil {
		return nil, errors.New("transformer " + t.Name + " " + err.Error())
	}
	return out, nil
}

// hearing returns what maps events of a type for their receiver: that of the type
// itself before that of the longest pattern.
func (ps *publications) hearing(typ string) *transformer {
	if t, ok := ps.hears[typ]; ok {
		return t
	}
	for at := strings.LastIndexByte(typ, '.'); at > 0; at = strings.LastIndexByte(typ[:at], '.') {
		if t, ok := ps.hears[typ[:at]+".*"]; ok {
			return t
		}
	}
	return nil
}

func transformFault(t *transformer, err error) *fault.Fault {
	return fault.New(fault.Unprocessable, "event.transform", "The transformer %.64s %s; try it with the same data at POST /canonical/transform.", t.Name, err)
}

// Trial asks for one run of a plugin's transformer on data of whoever tries it.
type Trial struct {
	Plugin      string // default: the plugin that acts
	Transformer string
	Data        json.RawMessage
}

// Try runs a transformer as the lane would, for a person of the plugin's tenant or
// the plugin itself. Errors are faults: Denied for another plugin, NotFound, TooLarge,
// Unprocessable when it gives nothing, or what breaks the schema of the event type.
func (l *Lane) Try(ctx context.Context, trial Trial) (json.RawMessage, error) {
	who := actor.From(ctx)
	if trial.Plugin == "" && who.Kind == actor.Plugin {
		trial.Plugin = who.ID
	}
	if who.Kind == actor.Plugin && trial.Plugin != who.ID {
		return nil, fault.New(fault.Denied, "identity.mismatch", "A plugin tries its own transformers only.")
	}
	p, err := l.receiver(ctx, trial.Plugin)
	if err != nil {
		return nil, err
	}
	if int64(len(trial.Data)) > l.Limits.Data {
		return nil, fault.New(fault.TooLarge, "body.too_large", "An event carries at most %d bytes of data.", l.Limits.Data)
	}
	ps := l.compiledOf(p.Manifest)
	for _, t := range ps.transformers {
		if t.Name != trial.Transformer {
			continue
		}
		out, err := t.run(ctx, trial.Data, l.Limits)
		if err != nil {
			return nil, transformFault(t, err)
		}
		for _, says := range ps.by {
			if says.transformer == t {
				return out, says.check(out)
			}
		}
		return out, nil
	}
	return nil, fault.New(fault.NotFound, "event.transformer", "%s declares no transformer of that name.", p.ID)
}
