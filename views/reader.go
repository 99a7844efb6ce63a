package views

import (
	"context"
	"net/url"
	"time"
)

// PrefsCookie is the name of the cookie that keeps a person's preferences. The
// console's script writes it too, so it is neither HttpOnly nor trusted.
const PrefsCookie = "vv_prefs"

// Prefs are a person's choices of presentation. The zero value follows the
// system's theme, shows UTC and has the keyboard shortcuts on.
type Prefs struct {
	Theme   string // "light", "dark", or "" for the system's
	Density string // "compact", "roomy", or "" for the usual
	Zone    string // IANA name such as Europe/Berlin, or "" for UTC
	NoKeys  bool   // keyboard shortcuts are off
	Narrow  bool   // the rail is collapsed
}

// ReadPrefs reads the value of the preferences cookie. What it does not
// understand it drops.
func ReadPrefs(cookie string) Prefs {
	var p Prefs
	q, err := url.ParseQuery(cookie)
	if err != nil {
		return p
	}
	switch t := q.Get("theme"); t {
	case "light", "dark":
		p.Theme = t
	}
	switch d := q.Get("density"); d {
	case "compact", "roomy":
		p.Density = d
	}
	if z := q.Get("zone"); z != "" && z != "UTC" && z != "Local" {
		if _, err := time.LoadLocation(z); err == nil {
			p.Zone = z
		}
	}
	p.NoKeys = q.Get("keys") == "off"
	p.Narrow = q.Get("rail") == "narrow"
	return p
}

// Cookie returns the value that ReadPrefs reads.
func (p Prefs) Cookie() string {
	q := url.Values{}
	set := func(key, value string) {
		if value != "" {
			q.Set(key, value)
		}
	}
	set("theme", p.Theme)
	set("density", p.Density)
	set("zone", p.Zone)
	if p.NoKeys {
		q.Set("keys", "off")
	}
	if p.Narrow {
		q.Set("rail", "narrow")
	}
	return q.Encode()
}

// With returns the preferences changed by a form: the theme menu and the zone
// switch send one value, the account page sends all and says so.
func (p Prefs) With(form url.Values) Prefs {
	q, _ := url.ParseQuery(p.Cookie())
	for _, name := range []string{"theme", "density", "zone"} {
		if form.Has(name) {
			q.Set(name, form.Get(name))
		}
	}
	if form.Has("all") {
		q.Set("keys", map[bool]string{true: "on", false: "off"}[form.Has("keys")])
	}
	return ReadPrefs(q.Encode())
}

// Location returns the zone in which times are shown.
func (p Prefs) Location() *time.Location {
	if p.Zone == "" {
		return time.UTC
	}
	at, err := time.LoadLocation(p.Zone)
	if err != nil {
		return time.UTC
	}
	return at
}

// Reader is who reads a page: their preferences, and the present moment from
// which ages count.
type Reader struct {
	Prefs
	Now time.Time
}

type readerKey struct{}

// WithReader returns a context for rendering to that reader. Without one, times
// are in UTC and ages are left out.
func WithReader(ctx context.Context, r Reader) context.Context {
	return context.WithValue(ctx, readerKey{}, r)
}

// readerOf returns the reader of a context.
func readerOf(ctx context.Context) Reader {
	r, _ := ctx.Value(readerKey{}).(Reader)
	return r
}

type insidePageKey struct{}

// insidePage marks what is drawn as part of a whole page.
func insidePage(ctx context.Context) context.Context {
	return context.WithValue(ctx, insidePageKey{}, true)
}

func isInsidePage(ctx context.Context) bool { return ctx.Value(insidePageKey{}) != nil }
