package dbtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// cluster is this process's view of the shared cluster.
type cluster struct {
	owner    *url.URL // of the database the cluster was made with
	lease    *lease   // keeps the cluster alive until this process ends
	template string
	mu       sync.Mutex
	conn     *pgx.Conn // to that database, for CREATE and DROP
}

// join makes this process a user of the cluster, once.
var join = func() func(context.Context) (*cluster, error) {
	var mu sync.Mutex
	var joined *cluster
	return func(ctx context.Context) (*cluster, error) {
		mu.Lock()
		defer mu.Unlock()
		if joined != nil {
			return joined, nil
		}
		c, err := newCluster(ctx)
		if err != nil {
			return nil, err
		}
		joined = c
		return c, nil
	}
}()

// newCluster takes a lease on the shared cluster, which starts it when it does
// not run, and sees to the template. A cluster that was killed may answer for
// one more instant; then it tries again, a few times.
func newCluster(ctx context.Context) (*cluster, error) {
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for tries := 1; ; tries++ {
		c, err := tryCluster(ctx)
		if err == nil || tries == 5 || !fault.Is(db.Fault(err), fault.Unavailable) {
			return c, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-again.C:
		}
	}
}

// tryCluster does so once.
func tryCluster(ctx context.Context) (*cluster, error) {
	l, address, err := takeLease(ctx)
	if err != nil {
		return nil, err
	}
	c := &cluster{lease: l}
	if c.owner, err = url.Parse(address); err == nil {
		err = c.ensureTemplate(ctx)
	}
	if err != nil {
		l.users.Close()
		return nil, fmt.Errorf("template: %w", err)
	}
	return c, nil
}

// url returns the connection string of a database of the cluster, as the
// owner when user is nil.
func (c *cluster) url(database string, user *url.Userinfo) string {
	u := *c.owner
	u.Path = "/" + database
	if user != nil {
		u.User = user
	}
	return u.String()
}

// exec runs a statement on the maintenance connection.
func (c *cluster) exec(ctx context.Context, statement string, args ...any) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn == nil || c.conn.IsClosed() {
		conn, err := pgx.Connect(ctx, c.owner.String())
		if err != nil {
			return err
		}
		c.conn = conn
	}
	_, err := c.conn.Exec(ctx, statement, args...)
	return err
}

// create makes an empty database.
func (c *cluster) create(ctx context.Context, name string) error {
	return c.exec(ctx, "CREATE DATABASE "+quote(name))
}

// clone makes a copy of the template. FILE_COPY is the fast way where nothing
// is fsynced.
func (c *cluster) clone(ctx context.Context, name string) error {
	return c.exec(ctx, fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s STRATEGY FILE_COPY", quote(name), quote(c.template)))
}

// drop removes a database, whoever is still connected to it.
func (c *cluster) drop(ctx context.Context, name string) error {
	return c.exec(ctx, fmt.Sprintf("DROP DATABASE IF EXISTS %s WITH (FORCE)", quote(name)))
}

// ensureTemplate makes the template of the present migrations and month unless
// another process has.
func (c *cluster) ensureTemplate(ctx context.Context) error {
	hash, err := db.SchemaHash()
	if err != nil {
		return err
	}
	c.template = fmt.Sprintf("template_%s_%s", time.Now().UTC().Format("200601"), hash[:16])
	const lock = 0x746d706c // "tmpl": one process makes it, the others wait
	if err := c.exec(ctx, "SELECT pg_advisory_lock($1)", lock); err != nil {
		return err
	}
	err = c.makeTemplate(ctx)
	return errors.Join(err, c.exec(ctx, "SELECT pg_advisory_unlock($1)", lock))
}

// makeTemplate makes the template unless it is there; it counts as there only
// when it was finished.
func (c *cluster) makeTemplate(ctx context.Context) error {
	var finished bool
	err := c.conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1 AND datistemplate)", c.template).Scan(&finished)
	if err != nil || finished {
		return err
	}
	if err := c.drop(ctx, c.template); err != nil {
		return err
	}
	if err := c.create(ctx, c.template); err != nil {
		return err
	}
	if _, err := db.Setup(ctx, c.url(c.template, nil), Password); err != nil {
		return err
	}
	return c.exec(ctx, "ALTER DATABASE "+quote(c.template)+" IS_TEMPLATE true ALLOW_CONNECTIONS false")
}
