package db

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/vivified/vivified/core/fault"
)

// SQLSTATE codes and classes (PostgreSQL manual, appendix A).
const (
	invalidCatalogName    = "3D000"
	insufficientPrivilege = "42501"
	duplicateObject       = "42710"
	uniqueViolation       = "23505"
	lockNotAvailable      = "55P03"
	queryCanceled         = "57014"
	classAuthorization    = "28"
)

// notAnswering are the beginnings of SQLSTATE codes that say the server, not
// the statement, is at fault: connection exceptions, no room, shutting down or
// starting up, input or output errors.
var notAnswering = [...]string{"08", "53", "57P", "58"}

// Fault translates an error of a query for the edge: a database that does not
// answer becomes an Unavailable fault, so that the caller hears 503 and may try
// again; any other error, also the end of the caller's own context, is
// returned as it is. [InTx] has done so with its errors.
func Fault(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.As(err, new(*fault.Fault)) {
		return err
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		if pg.Code == queryCanceled || pg.Code == lockNotAvailable {
			return unavailable("database.slow", "The database took too long.", err)
		}
		for _, class := range notAnswering {
			if strings.HasPrefix(pg.Code, class) {
				return unreachable(err)
			}
		}
		if strings.HasPrefix(pg.Code, classAuthorization) {
			return unreachable(err)
		}
		return err
	}
	if errors.As(err, new(*pgconn.ConnectError)) || errors.As(err, new(net.Error)) || errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || pgconn.SafeToRetry(err) {
		return unreachable(err)
	}
	return err
}

// Violates reports whether err says that a statement broke the constraint or
// unique index of that name, so that a service can say what is taken.
func Violates(err error, constraint string) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pg.ConstraintName == constraint
}

// unreachable is the fault for a server that does not answer or does not let
// us in.
func unreachable(cause error) error {
	pg, ok := errors.AsType[*pgconn.PgError](cause)
	switch {
	case ok && strings.HasPrefix(pg.Code, classAuthorization):
		return unavailable("database.sign_in", "The database refuses the core's sign-in; check user, password and pg_hba.conf.", cause)
	case ok && pg.Code == invalidCatalogName:
		return unavailable("database.missing", "The database server has no database of that name.", cause)
	}
	return unavailable("database.unavailable", "The database does not answer.", cause)
}

// unavailable makes an Unavailable fault that may be tried again.
func unavailable(code, sentence string, cause error) error {
	f := fault.New(fault.Unavailable, code, "%s", sentence).Because(cause)
	f.RetryAfter = 2 * time.Second
	return f
}

// badURL is the fault for a connection string that cannot be used. pgx leaves
// the password out of its parse errors.
func badURL(cause error) error {
	return fault.New(fault.Invalid, "database.url", "The database address cannot be read: use postgres://user:password@host:5432/name.").Because(cause)
}

// ownerLacks turns "permission denied" into a Denied fault that says what the
// owner needs; other errors pass.
func ownerLacks(err error, cc *pgx.ConnConfig) error {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || pg.Code != insufficientPrivilege {
		return Fault(err)
	}
	owner, database := pgx.Identifier{cc.User}.Sanitize(), pgx.Identifier{cc.Database}.Sanitize()
	return fault.New(fault.Denied, "database.owner_rights",
		"The database role %s lacks a right the core needs; as a superuser of the server run: ALTER DATABASE %s OWNER TO %s; ALTER ROLE %s CREATEROLE; and in that database: ALTER SCHEMA public OWNER TO %s;",
		cc.User, database, owner, owner, owner).Because(err)
}
