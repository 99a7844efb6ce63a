package views

import (
	"context"
	"io"
	"slices"
	"sync"

	"github.com/a-h/templ"

	"github.com/vivified/vivified/static"
)

// IconName names a Lucide icon of the sprite. A name from outside that is not
// there, as in a manifest, is drawn as a plain box.
type IconName string

var knownIcons = sync.OnceValue(static.Icons)

// Icon draws an icon at text size. It is never the only carrier of a meaning.
func Icon(name IconName) templ.Component { return icon("vv-i", name) }

// SmallIcon draws an icon for chips and small buttons.
func SmallIcon(name IconName) templ.Component { return icon("vv-i s", name) }

// LargeIcon draws an icon for empty states.
func LargeIcon(name IconName) templ.Component { return icon("vv-i l", name) }

// icon is written by hand because nothing else is drawn so often. Both parts are
// the program's own: the class above, the address from the sprite.
func icon(class string, name IconName) templ.Component {
	if _, known := slices.BinarySearch(knownIcons(), string(name)); !known {
		name = "box"
	}
	svg := `<svg class="` + class + `" aria-hidden="true"><use href="` + static.Icon(string(name)) + `"/></svg>`
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		_, err := io.WriteString(w, svg)
		return err
	})
}
