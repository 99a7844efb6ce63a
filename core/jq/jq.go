// Package jq runs the small programs with which plugins map their own form of
// data to another and back.
//
// It refuses whatever is not a pure function of one document: modules, input,
// environment, clock and halting; and, because a program may come from a plugin
// that means harm, every function whose cost grows faster than its input, such as
// those of regular expressions. What a program builds is measured as it is built,
// so that neither time nor memory goes beyond the bounds.
package jq

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/itchyny/gojq"
)

// Why a program gave nothing. None of them says anything about the data, so that
// they can be recorded.
var (
	ErrFailed   = errors.New("failed on this data")
	ErrTime     = errors.New("took too long")
	ErrSize     = errors.New("built more than may be carried")
	ErrNothing  = errors.New("gave nothing")
	ErrSeveral  = errors.New("gave more than one value")
	ErrDocument = errors.New("was given what is not one JSON document, or holds a number beyond a double")
)

// Limits bound one run.
type Limits struct {
	Time time.Duration
	Size int64 // bytes of the result
}

// Program is a compiled program. It is immutable and safe for concurrent use.
type Program struct{ code *gojq.Code }

// maxSource is how long a program may be, in bytes.
const maxSource = 16 << 10

// Compile reads a program. The error says what is wrong with it, as the end of a
// sentence about it.
func Compile(source string) (*Program, error) {
	if len(source) > maxSource {
		return nil, errors.New("is longer than 16 KiB")
	}
	query, err := gojq.Parse(source)
	if err != nil {
		return nil, fmt.Errorf("does not compile: %w", err)
	}
	// As it was written first, so that what is said of it is about that.
	if _, err := gojq.Compile(query); err != nil {
		return nil, fmt.Errorf("does not compile: %w", err)
	}
	b := bounder{defined: map[string]bool{}}
	if b.query(query); b.refused != "" {
		return nil, fmt.Errorf("uses %s, which is not available here", b.refused)
	}
	code, err := gojq.Compile(query,
		gojq.WithFunction(fits, 0, 0, func(v any, _ []any) any { return cost(v, maxCost) >= 0 }),
		gojq.WithFunction(exceeds, 0, 0, func(any, []any) any { return tooLarge{} }),
		gojq.WithFunction(place, 0, 0, asPlace), gojq.WithFunction(factor, 0, 0, asFactor),
		gojq.WithFunction(minuend, 0, 0, asMinuend), gojq.WithFunction(digits, 0, 0, asDigits))
	if err != nil {
		return nil, fmt.Errorf("does not compile: %w", err)
	}
	return &Program{code}, nil
}

// Run applies the program to one JSON document and returns its one result. The
// error is one of those above; the cause of [ErrFailed] may quote the data, so it
// is for nobody but who gave that.
func (p *Program) Run(ctx context.Context, doc []byte, limits Limits) ([]byte, error) {
	in := json.NewDecoder(bytes.NewReader(doc))
	in.UseNumber()
	var v any
	if !json.Valid(doc) || in.Decode(&v) != nil || !plain(v) {
		return nil, ErrDocument
	}
	ctx, cancel := context.WithTimeout(ctx, limits.Time)
	defer cancel()
	results := p.code.RunWithContext(ctx, v)
	result, ok := results.Next()
	if !ok {
		return nil, ErrNothing
	}
	if err, failed := result.(error); failed {
		return nil, why(ctx, err)
	}
	if more, ok := results.Next(); ok {
		if err, failed := more.(error); failed {
			return nil, why(ctx, err)
		}
		return nil, ErrSeveral
	}
	if cost(result, limits.Size) < 0 {
		return nil, ErrSize
	}
	out, err := gojq.Marshal(result)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFailed, err)
	}
	if int64(len(out)) > limits.Size {
		return nil, ErrSize
	}
	return out, nil
}

// why tells the reasons of a failed run apart.
func why(ctx context.Context, err error) error {
	var exceeded tooLarge
	switch {
	case ctx.Err() != nil:
		return ErrTime
	case errors.As(err, &exceeded):
		return ErrSize
	}
	return fmt.Errorf("%w: %w", ErrFailed, err)
}

// Reason is why a run gave nothing, without a word about the data.
func Reason(err error) string {
	for _, known := range []error{ErrFailed, ErrTime, ErrSize, ErrNothing, ErrSeveral, ErrDocument} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return ErrFailed.Error()
}
