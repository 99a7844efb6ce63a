package handlers

import (
	"context"
	"strings"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/views"
)

// plugin returns a plugin by its name and, where whoever looks may open it, the
// way to its page. One that is gone keeps its id.
func (v *visit) plugin(id string) views.Party {
	p := views.Party{Kind: views.Plugin, Name: id}
	if known, ok := v.snap.Plugin(id); ok {
		p.Name, p.Icon = known.Name, iconOf(known)
		if v.may(views.PathPlugins) {
			p.Href = views.PluginPath(id)
		}
	}
	return p
}

// iconOf is the icon a plugin's manifest asks for; the console has a plain one.
func iconOf(p *registry.Plugin) views.IconName { return views.IconName(p.Manifest.Icon) }

// nameOf is how people know who has an id: a person, a plugin, or a part of the core.
func (v *visit) nameOf(ctx context.Context, id string) string {
	if name, ok := v.names[id]; ok {
		return name
	}
	name := id
	if u, err := uuid.Parse(id); err == nil {
		if found, err := v.Identity.User(ctx, u); err == nil {
			name = found.Name
		}
	} else if p, ok := v.snap.Plugin(id); ok {
		name = p.Name
	}
	v.names[id] = name
	return name
}

// party returns who a record or the facts of a decision name.
func (v *visit) party(kind, id, name string) views.Party {
	switch actor.Kind(kind) {
	case actor.Plugin:
		p := v.plugin(id)
		if p.Name == id && name != "" {
			p.Name = name
		}
		return p
	case actor.User:
		p := views.Party{Kind: views.User, Name: orElse(name, id)}
		if v.may(views.PathUsers) && id != "" {
			p.Href = views.UserPath(id)
		}
		return p
	case actor.Anonymous, "":
		return views.Party{Kind: views.System, Name: "Somebody not signed in", Icon: "user-x"}
	}
	return views.Party{Kind: views.System, Name: "Core", Note: id}
}

// doer returns who made a record, with how and for whom where that is not plain.
func (v *visit) doer(r *audit.Record) views.Party {
	p := v.party(r.ActorKind, r.ActorID, r.ActorName)
	switch {
	case r.OnBehalfName != "":
		p.Note = "for " + r.OnBehalfName
	case strings.HasPrefix(r.Credential, "api_key:"):
		p.Note = "via API key"
	}
	return p
}

// object writes what a record is about for people: ids of plugins and people
// become their names.
func (v *visit) object(ctx context.Context, r *audit.Record) string {
	first, rest, more := strings.Cut(r.Object, "/")
	switch {
	case r.Object == "":
		return ""
	case strings.HasPrefix(r.Action, "event."):
		return v.eventObject(r, first)
	case r.Action == string(policy.ProxyRequest) && more:
		return rest // who asked is said already
	case strings.HasPrefix(r.Object, "/"):
		return r.Object // an address
	}
	name := v.nameOf(ctx, first)
	if !more {
		return name
	}
	return name + ", " + v.nameOf(ctx, rest)
}

// eventObject names the type of an event and, of a delivery, how many it was for.
func (v *visit) eventObject(r *audit.Record, typ string) string {
	switch n := len(r.Receivers); {
	case r.Action != string(policy.EventDeliver):
		return typ
	case n == 1:
		return typ + " to " + v.plugin(r.Receivers[0]).Name
	default:
		return typ + " to " + count(n, "receiver", "receivers")
	}
}

// grantors returns the people who hold one of the traits, to be asked.
func (v *visit) grantors(ctx context.Context, traits ...string) []views.Party {
	set, _ := v.snap.Traits().Parse(traits)
	var out []views.Party
	for _, u := range v.active(ctx) {
		for _, id := range set.IDs() {
			if !u.Traits.Has(id) {
				continue
			}
			p := views.Party{Kind: views.User, Name: u.Name, Note: v.snap.Traits().Get(id).Name}
			if v.has(trait.UserManager) {
				p.Href = views.UserPath(u.ID.String())
			}
			out = append(out, p)
			break
		}
		if len(out) == 5 {
			break
		}
	}
	return out
}
