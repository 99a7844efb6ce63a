package identity

import (
	"context"
	"net/mail"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// maxInvitations is how many people are invited at once.
const maxInvitations = 100

// Invitee is one line of a pasted list, and what became of it.
type Invitee struct {
	Line int    // from 1
	Text string // as pasted, without what cannot be shown
	Link Link   // once invited
	Err  error
}

// InviteMany invites whom a pasted list names, each by itself, all with the same
// roles and groups: where one is refused the others are invited. It returns an
// Unprocessable fault, and invites nobody, for a list of nobody or of more than a
// hundred.
func (s *Service) InviteMany(ctx context.Context, list string, roles []RoleGrant, groups []uuid.UUID) ([]Invitee, error) {
	lines := splitList(list)
	if len(lines) == 0 || len(lines) > maxInvitations {
		return nil, violation("invite.list", "/list", "One to a hundred people can be invited at once.", "Write one on each line, as an address or as Name <address>.")
	}
	for i := range lines {
		in, err := parseInvitee(lines[i].Text)
		if err == nil {
			in.Roles, in.Groups = roles, groups
			lines[i].Link, err = s.Invite(ctx, in)
		}
		if lines[i].Err = err; ctx.Err() != nil {
			return lines, ctx.Err()
		}
	}
	return lines, nil
}

// splitList returns the lines of a pasted list that hold something.
func splitList(list string) []Invitee {
	var out []Invitee
	n := 0
	for line := range strings.Lines(list) {
		n++
		if text := strings.Trim(printable(strings.ReplaceAll(line, "\t", " "), 400), " ,;"); text != "" {
			out = append(out, Invitee{Line: n, Text: text})
		}
		if len(out) > maxInvitations {
			break
		}
	}
	return out
}

// parseInvitee reads a line of a pasted list: an address, Name <address>, or
// address and name apart by a comma or semicolon. Without a name it is what stands
// before the @.
func parseInvitee(line string) (Invitation, error) {
	if a, err := mail.ParseAddress(line); err == nil {
		return named(a.Address, a.Name)
	}
	first, second, ok := strings.Cut(strings.ReplaceAll(line, ";", ","), ",")
	first, second = strings.TrimSpace(first), strings.TrimSpace(second)
	switch {
	case ok && strings.Contains(first, "@"):
		return named(first, second)
	case ok && strings.Contains(second, "@"):
		return named(second, first)
	}
	return Invitation{}, violation("email.format", "/list", "This is not an e-mail address.", "Write it as name@example.com, in ASCII.")
}

func named(email, name string) (Invitation, error) {
	email, err := cleanEmail(email)
	if err != nil {
		return Invitation{}, err
	}
	if name == "" {
		name, _, _ = strings.Cut(email, "@")
	}
	return Invitation{Email: email, Name: name}, nil
}

// OpenInvitation is somebody who was invited and has not joined.
type OpenInvitation struct {
	User      User
	InvitedBy string    // id of who made the last link; "" when none is left
	Expires   time.Time // of the last link; it may be past
}

// OpenInvitations returns a page of those who have not joined, the latest first, and
// what to hand in as before for the next page: the zero UUID at the end. most is at
// most 200, by default 50.
func (s *Service) OpenInvitations(ctx context.Context, before uuid.UUID, most int) ([]OpenInvitation, uuid.UUID, error) {
	if most = pageOf(most); before == uuid.Nil {
		before = uuid.Max
	}
	q := db.New(s.Pool)
	rows, err := q.InvitationsOpen(ctx, db.InvitationsOpenParams{TenantID: actor.From(ctx).Tenant, Before: before, Most: int32(most + 1)})
	if err != nil {
		return nil, uuid.Nil, db.Fault(err)
	}
	next := uuid.Nil
	if len(rows) > most {
		rows = rows[:most]
		next = rows[most-1].User.ID
	}
	people := make([]db.User, len(rows))
	for i, row := range rows {
		people[i] = row.User
	}
	us, err := s.wholes(ctx, q, people)
	if err != nil {
		return nil, uuid.Nil, err
	}
	open := make([]OpenInvitation, len(rows))
	for i, row := range rows {
		open[i] = OpenInvitation{User: us[i], InvitedBy: row.InvitedBy, Expires: row.GoodUntil}
	}
	return open, next, nil
}

// Withdraw takes an invitation back: its link ends, and the address becomes free.
// Somebody who has joined is a Conflict fault.
func (s *Service) Withdraw(ctx context.Context, id uuid.UUID) error {
	_, err := s.change(ctx, id, "user.withdraw", nil, func(q *db.Queries, u User) error {
		if u.Status != Invited {
			return fault.New(fault.Conflict, "user.status", "%s is %s; there is no invitation to take back.", u.Name, u.Status)
		}
		return s.shutOut(ctx, q, u, Deleted)
	})
	return err
}
