package views

import (
	"context"
	"io"

	"github.com/a-h/templ"
)

// text is plain text among the parts of a sentence.
type text string

// Render writes the text, escaped.
func (t text) Render(_ context.Context, w io.Writer) error {
	_, err := io.WriteString(w, templ.EscapeString(string(t)))
	return err
}

// inline writes parts one after the other with no space between but their own. A
// template puts a space where its source has a line break, which no comma bears.
func inline(parts ...templ.Component) templ.Component {
	return templ.ComponentFunc(func(ctx context.Context, w io.Writer) error {
		for _, p := range parts {
			if err := p.Render(ctx, w); err != nil {
				return err
			}
		}
		return nil
	})
}

// when returns the parts if the condition holds, and nothing otherwise.
func when(condition bool, parts ...templ.Component) templ.Component {
	if !condition {
		return templ.NopComponent
	}
	return inline(parts...)
}
