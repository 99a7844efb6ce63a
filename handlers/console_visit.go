package handlers

import (
	"context"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/a-h/templ"
	"github.com/google/uuid"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/approval"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/core/settings"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/views"
)

// visit is one look of a person at the console: who looks, how they like it, and
// the plugins as they were at that moment. It serves one request.
type visit struct {
	*Server
	who    actor.Actor  // as whom, when whoever looks does so as somebody else
	viewer *actor.Actor // then: who it is in truth
	snap   *registry.Snapshot
	reader views.Reader
	names  map[string]string // of people, by id, as far as looked up
	people []identity.User   // everybody active, once asked for
}

// visit begins the answer to a request.
func (s *Server) visit(r *http.Request) *visit {
	v := &visit{Server: s, who: actor.From(r.Context()), snap: s.Registry.Snapshot(), names: map[string]string{}}
	v.reader.Now = time.Now()
	if v.who.Viewing() {
		viewer := v.who
		v.viewer, v.who = &viewer, *viewer.OnBehalf
		v.who.Traits, v.who.Credential = viewer.Traits, viewer.Credential
	}
	if c, err := r.Cookie(views.PrefsCookie); err == nil {
		v.reader.Prefs = views.ReadPrefs(c.Value)
	}
	return v
}

// render draws a component for whoever looks.
func (v *visit) render(ctx context.Context, w io.Writer, what templ.Component) error {
	return what.Render(views.WithReader(ctx, v.reader), w)
}

// has reports whether whoever looks holds the trait.
func (v *visit) has(t trait.ID) bool { return v.who.Has(t) }

// may reports whether the page at a path of the rail is theirs to see.
func (v *visit) may(path string) bool {
	i := pageAt(path)
	return i >= 0 && v.who.Traits.Covers(trait.SetOf(consolePages[i].needs...))
}

// pageAt is the place of a path among the pages there are; -1: it is none.
func pageAt(path string) int {
	return slices.IndexFunc(consolePages, func(p consolePage) bool { return p.path == path })
}

// shell is what surrounds a page.
func (v *visit) shell(ctx context.Context, f frame) views.Shell {
	nav := views.StandardNav(f.nav, v.may)
	if v.has(trait.PluginManager) {
		v.countWaiting(nav)
	}
	v.countApprovals(ctx, nav)
	s := views.Shell{Bell: v.bell(ctx), Org: v.Settings.String(settings.Organisation), Nav: nav, Crumbs: f.crumbs, Live: f.live, Idle: v.Identity.LongestPause(ctx), Person: views.Person{Name: v.who.Name}}
	if len(f.crumbs) > 0 {
		s.Title = f.crumbs[len(f.crumbs)-1].Label
	}
	for i, c := range s.Crumbs { // the way leads over no page that is not theirs
		if pageAt(c.Href) >= 0 && !v.may(c.Href) {
			s.Crumbs[i].Href = ""
		}
	}
	if s.ViewNote = v.viewNote(ctx); s.ViewNote == nil && f.nav == views.PathOverview {
		s.ViewNote = v.factorNote(ctx)
	}
	if id, err := uuid.Parse(v.who.ID); err == nil {
		// A page is better without the address than not at all.
		if u, err := v.Identity.User(ctx, id); err == nil {
			s.Person.Email = u.Email
		}
	}
	return s
}

// countWaiting writes beside Installed how many plugins wait for somebody.
func (v *visit) countWaiting(nav []views.NavGroup) {
	n := 0
	for _, p := range v.snap.Plugins() {
		if p.Pending != nil || p.State == policy.Registered {
			n++
		}
	}
	for _, g := range nav {
		for i := range g.Items {
			if g.Items[i].Href == views.PathPlugins {
				g.Items[i].Count, g.Items[i].Tone = n, views.Warn
			}
		}
	}
}

// countApprovals writes beside Approvals how many requests wait for whoever looks.
func (v *visit) countApprovals(ctx context.Context, nav []views.NavGroup) {
	n := 0
	for _, waiting := range v.approvals(ctx) {
		n += waiting
	}
	for _, g := range nav {
		for i := range g.Items {
			if g.Items[i].Href == views.PathApprovals {
				g.Items[i].Count, g.Items[i].Tone = n, views.Warn
			}
		}
	}
}

// approvals counts what waits for whoever looks, by kind. It is a courtesy: on a
// failure it counts nothing.
func (v *visit) approvals(ctx context.Context) map[approval.Kind]int {
	if len(approval.Sees(v.who.Traits)) == 0 {
		return nil
	}
	counts, err := v.Approvals.Counts(ctx)
	if err != nil {
		return nil
	}
	return counts
}

// why says why something is not permitted: nil when whoever looks holds the
// trait that permits it.
func (v *visit) why(ctx context.Context, needs trait.ID, text string) *views.Why {
	if v.has(needs) {
		return nil
	}
	return &views.Why{Text: text, Trait: v.snap.Traits().Get(needs).Name, Grantors: v.holders(ctx, trait.UserManager)}
}

// holders names the people who hold a trait. It is a courtesy: on a failure it
// names nobody.
func (v *visit) holders(ctx context.Context, t trait.ID) []string {
	var names []string
	for _, u := range v.active(ctx) {
		if u.Traits.Has(t) {
			names = append(names, u.Name)
		}
	}
	return names
}

// active returns the people who can sign in, the first two hundred by name.
func (v *visit) active(ctx context.Context) []identity.User {
	if v.people == nil {
		v.people = []identity.User{}
		if page, err := v.Identity.Users(ctx, identity.UserFilter{Status: identity.Active, Limit: 200}); err == nil {
			v.people = page.Users
		}
	}
	return v.people
}

// zone is where whoever looks reads the time.
func (v *visit) zone() *time.Location { return v.reader.Location() }
