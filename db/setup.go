package db

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/fault"
)

// setupLock is the advisory lock of everything that changes schema or rights:
// the bytes of "vivified".
const setupLock int64 = 0x7669766966696564

// partitionsAhead is how many months beyond the current one Setup provides, so
// that a core whose owner connection is down keeps recording for a while.
const partitionsAhead = 2

// Setup makes the database that ownerURL names ready to serve and returns the
// connection string of [AppRole]: it migrates, makes the roles and their
// rights, and the audit partitions of the coming months. Replicas that start
// together take turns under an advisory lock.
//
// appPassword is the app role's: 16 to 256 ASCII letters, digits, "-" and "_".
// Replicas must agree on it; see [SetupKeyed] for one that the database knows. The owner needs
// CREATEROLE the first time, not superuser; a Denied fault says what to run
// where a right is missing. Setup fails when the app role could change audit
// rows.
func Setup(ctx context.Context, ownerURL, appPassword string) (appURL string, err error) {
	if err := checkPassword(appPassword); err != nil {
		return "", err
	}
	return SetupKeyed(ctx, ownerURL, func(context.Context, *Queries) (string, error) { return appPassword, nil })
}

// SetupKeyed is [Setup] with a password that appPassword finds out in the database
// itself, after its migration and while no other replica sets it up.
func SetupKeyed(ctx context.Context, ownerURL string, appPassword func(context.Context, *Queries) (string, error)) (appURL string, err error) {
	cc, err := pgx.ParseConfig(ownerURL)
	if err != nil {
		return "", badURL(err)
	}
	if cc.User == AppRole {
		return "", fault.New(fault.Invalid, "database.owner", "The database address must name the owner of the database, not %s, which the core makes for itself.", AppRole)
	}
	// A migration may take long; a wait for somebody else's lock may not.
	applyParams(cc, Config{Name: "vivified-setup", LockTimeout: 15 * time.Second})
	cc.RuntimeParams["statement_timeout"] = "0"
	cc.RuntimeParams["client_min_messages"] = "warning"
	conn, err := pgx.ConnectConfig(ctx, cc)
	if err != nil {
		return "", unreachable(err)
	}
	defer closeConn(conn)
	if err := lockSetup(ctx, conn); err != nil {
		return "", err
	}
	if err := migrate(ctx, cc); err != nil {
		return "", ownerLacks(err, cc)
	}
	password, err := appPassword(ctx, New(conn))
	if err != nil {
		return "", err
	}
	appURL, err = withUser(ownerURL, AppRole, password)
	if err != nil {
		return "", err
	}
	if err := ensureRoles(ctx, conn, appURL, password); err != nil {
		return "", ownerLacks(err, cc)
	}
	if err := ensureAuditPartitions(ctx, conn, time.Now(), partitionsAhead); err != nil {
		return "", ownerLacks(err, cc)
	}
	return appURL, nil
}

// lockSetup takes the setup lock for as long as conn lives. It asks again and
// again instead of waiting inside the server: a waiting statement would hold a
// snapshot, and a CREATE INDEX CONCURRENTLY of the replica that has the lock
// would wait for that snapshot for ever.
func lockSetup(ctx context.Context, conn *pgx.Conn) error {
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		var got bool
		if err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", setupLock).Scan(&got); err != nil {
			return fmt.Errorf("take the setup lock: %w", err)
		}
		if got {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("take the setup lock: %w", ctx.Err())
		case <-again.C:
		}
	}
}

// withUser returns dsn, in the form it has, for another user.
func withUser(dsn, user, password string) (string, error) {
	if err := checkPassword(password); err != nil {
		return "", err
	}
	if !strings.HasPrefix(dsn, "postgres://") && !strings.HasPrefix(dsn, "postgresql://") {
		// key=value: a later key wins, in libpq and in pgx.
		return fmt.Sprintf("%s user=%s password=%s", dsn, user, password), nil
	}
	u, err := url.Parse(dsn)
	if err != nil {
		return "", badURL(errors.New("not a URL")) // url.Error would quote the password
	}
	u.User = url.UserPassword(user, password)
	q := u.Query()
	q.Del("user")
	q.Del("password")
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// proveLogin signs in once with a connection string.
func proveLogin(ctx context.Context, dsn string) error {
	cc, err := pgx.ParseConfig(dsn)
	if err != nil {
		return err
	}
	applyParams(cc, Config{Name: "vivified-setup"})
	conn, err := pgx.ConnectConfig(ctx, cc)
	if err != nil {
		return err
	}
	closeConn(conn)
	return nil
}

// closeConn says goodbye within a second, also after ctx has ended.
func closeConn(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}
