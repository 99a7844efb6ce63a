package identity

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db"
)

const (
	maxViews     = 100  // of a person
	maxViewName  = 60   // characters
	maxViewQuery = 2000 // bytes
)

// SavedView is a list of the console as somebody likes to see it.
type SavedView struct {
	ID     uuid.UUID
	Page   string // the list's path
	Name   string
	Query  string // of the URL
	Shared bool   // also offered to others who may see the page
	Owner  string // name of whoever keeps it
	Own    bool   // it is the caller's
	At     time.Time
}

// SavedViews returns the caller's views of a page and those others share, by name.
func (s *Service) SavedViews(ctx context.Context, page string) ([]SavedView, error) {
	who := actor.From(ctx)
	id, err := uuid.Parse(who.ID)
	if err != nil {
		return nil, nil // a program of nobody has none
	}
	rows, err := db.New(s.Pool).SavedViewList(ctx, db.SavedViewListParams{TenantID: who.Tenant, Page: page, Owner: id})
	if err != nil {
		return nil, db.Fault(err)
	}
	views := make([]SavedView, len(rows))
	for i, r := range rows {
		views[i] = SavedView{ID: r.ID, Page: r.Page, Name: r.Name, Query: r.Query, Shared: r.Shared, Owner: r.OwnerName, Own: r.Owner == id, At: r.CreatedAt}
	}
	return views, nil
}

// SaveView keeps a list under a name, in place of the caller's own of that name. It
// returns an Unprocessable fault for a name or query that cannot be kept, or a
// Conflict fault when the caller has too many.
func (s *Service) SaveView(ctx context.Context, page, name, query string, shared bool) (SavedView, error) {
	who := actor.From(ctx)
	id, err := uuid.Parse(who.ID)
	if err != nil || who.Kind != actor.User {
		return SavedView{}, fault.New(fault.Denied, "identity.people_only", "Only people have an account.")
	}
	name = strings.TrimSpace(name)
	if n := utf8.RuneCountInString(name); n == 0 || n > maxViewName || strings.ContainsFunc(name, unicode.IsControl) {
		return SavedView{}, violation("view.name", "/name", "A saved view has a name of 1 to 60 characters.", "Give it another name.")
	}
	// Parsed and written again it is a query and nothing else, whatever was sent.
	values, err := url.ParseQuery(query)
	if err != nil || len(query) > maxViewQuery {
		return SavedView{}, violation("view.query", "/query", "This view cannot be kept.", "Use fewer filters.")
	}
	values.Del("cursor")
	values.Del("open")
	p := db.SavedViewPutParams{ID: uuid.Must(uuid.NewV7()), TenantID: who.Tenant, Owner: id, Page: page, Name: name, Query: values.Encode(), Shared: shared, At: s.now()}
	var kept SavedView
	err = db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		n, err := q.SavedViewCount(ctx, id)
		if err != nil {
			return err
		}
		if n >= maxViews {
			return fault.New(fault.Conflict, "view.too_many", "You have %d saved views; remove one first.", n)
		}
		row, err := q.SavedViewPut(ctx, p)
		if err != nil {
			return err
		}
		kept = SavedView{ID: row.ID, Page: row.Page, Name: row.Name, Query: row.Query, Shared: row.Shared, Owner: who.Name, Own: true, At: row.CreatedAt}
		return audit.Append(ctx, q, audit.Entry{Action: "view.save", Object: row.ID.String(), Outcome: audit.OK, Detail: map[string]any{"page": row.Page, "name": row.Name, "shared": row.Shared}})
	})
	return kept, err
}

// RemoveView removes a view of the caller's own; a shared one of anybody with user_manager.
func (s *Service) RemoveView(ctx context.Context, view uuid.UUID) (SavedView, error) {
	who := actor.From(ctx)
	id, _ := uuid.Parse(who.ID) // of nobody: owns nothing
	var gone SavedView
	err := db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		row, err := q.SavedViewDelete(ctx, db.SavedViewDeleteParams{TenantID: who.Tenant, ID: view, Owner: id, AnyShared: who.Traits.Has(trait.UserManager)})
		if errors.Is(err, pgx.ErrNoRows) {
			return fault.New(fault.NotFound, "view.unknown", "There is no such saved view of yours; it may have been removed.")
		}
		if err != nil {
			return err
		}
		gone = SavedView{ID: row.ID, Page: row.Page, Name: row.Name, Query: row.Query, Shared: row.Shared}
		return audit.Append(ctx, q, audit.Entry{Action: "view.remove", Object: row.ID.String(), Outcome: audit.OK, Detail: map[string]any{"page": row.Page, "name": row.Name}})
	})
	return gone, err
}
