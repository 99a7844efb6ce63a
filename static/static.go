// Package static holds the console's style sheet, scripts, icons and fonts, and
// serves each under an address that names its content: an answer may be kept
// for ever, because a changed file has a changed address.
//
// It needs no build step. The style sheet, the icon sprite and the console's
// own script are joined from their parts when first asked for. It serves
// nothing that is not embedded here, lists no directory and reads no disk.
package static

import (
	"embed"
	"fmt"
	"net/http"
	"sync"
)

// Prefix is the path below which Handler expects its requests.
const Prefix = "/static/"

//go:embed css/*.css js/*.js js/*.txt icons/*.svg icons/*.txt fonts/*.woff2 fonts/*.txt favicon.svg
var files embed.FS

// joined lists the assets made of several files, in the order of their parts.
var joined = []struct {
	name  string
	parts []string
}{
	{"css/console.css", []string{
		"css/tokens.css", "css/base.css", "css/helpers.css", "css/shell.css", "css/buttons.css", "css/marks.css", "css/cards.css",
		"css/tables.css", "css/forms.css", "css/notices.css", "css/flow.css", "css/pages.css",
	}},
	{"js/console.js", []string{
		"js/prefs.js", "js/time.js", "js/menus.js", "js/dialogs.js", "js/toasts.js", "js/forms.js", "js/lines.js", "js/live.js", "js/keys.js", "js/verify.js", "js/passkey.js", "js/idle.js",
	}},
	{"js/htmx.js", []string{"js/htmx.min.js", "js/hx-sse.min.js"}},
}

var load = sync.OnceValue(func() *table {
	t, err := build()
	if err != nil {
		panic(err) // the embedded files are part of the program; a test builds them
	}
	return t
})

// Path returns the address of an asset, such as /static/css/console.1f3c9a02.css
// for css/console.css. An unknown name is a mistake in the program and panics.
func Path(name string) string {
	a, ok := load().byName[name]
	if !ok {
		panic(fmt.Sprintf("static: no asset is called %q", name))
	}
	return a.path
}

// Icon returns the address of an icon's symbol in the sprite. An unknown name
// panics, as in Path.
func Icon(name string) string {
	address, ok := load().icons[name]
	if !ok {
		panic(fmt.Sprintf("static: no icon is called %q", name))
	}
	return address
}

// Icons returns the names of all icons, sorted.
func Icons() []string { return load().iconNames }

// Handler serves the assets to GET and HEAD. A hashed address may be kept for
// ever; a plain name, which plugin pages use, must be revalidated.
func Handler() http.Handler { return http.HandlerFunc(load().serve) }
