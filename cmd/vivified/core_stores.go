package main

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/retention"
	"github.com/vivified/vivified/core/settings"
	"github.com/vivified/vivified/core/siem"
	"github.com/vivified/vivified/db"
	"github.com/vivified/vivified/lanes/canonical"
)

// stores starts the database, then the bus, whose streams are encrypted under a
// key of the keyring that the database holds.
func (c *core) stores(ctx context.Context, conf *settings.Settings, env map[string]string, master *settings.MasterKey, replica string) (*pgxpool.Pool, *canonical.Bus, *settings.Keyring, error) {
	secure, err := ownCertificate(conf)
	if err != nil {
		return nil, nil, nil, err
	}
	pool, keyring, err := c.database(ctx, conf, env, master, replica)
	if err != nil {
		return nil, nil, nil, err
	}
	bus, err := canonical.StartBus(canonical.BusConfig{
		URL: conf.String(settings.NATSURL), Dir: c.dataDir, Key: hex.EncodeToString(keyring.Sealer().Derive("nats/jetstream", 32)), Name: replica, Log: c.log,
		Listen: conf.String(settings.NATSListen), TLS: secure,
	})
	if err != nil {
		return nil, nil, nil, err
	}
	c.stops = append(c.stops, bus.Close)
	return pool, bus, keyring, nil
}

// calloutOf is how plugins get onto an external bus, nil where they do not.
func calloutOf(conf *settings.Settings) *canonical.CalloutConfig {
	seed := conf.String(settings.NATSCalloutSeed)
	if seed == "" || conf.String(settings.NATSURL) == "" {
		return nil
	}
	return &canonical.CalloutConfig{Seed: seed, System: conf.String(settings.NATSSystemURL)}
}

// database makes the database ready, opens its sealing keys and connects to it
// under the role that may neither change nor delete what was recorded.
func (c *core) database(ctx context.Context, conf *settings.Settings, env map[string]string, master *settings.MasterKey, replica string) (*pgxpool.Pool, *settings.Keyring, error) {
	owner := conf.String(settings.DatabaseURL)
	alone := owner == ""
	if alone {
		private := &db.Private{Dir: c.dataDir, Bin: env["PG_BIN"], Log: c.log.With("part", "postgres")}
		if err := private.Start(ctx); err != nil {
			return nil, nil, err
		}
		c.run("database", private.Run)
		owner = private.URL()
	}
	var keyring *settings.Keyring
	app, err := db.SetupKeyed(ctx, owner, func(ctx context.Context, q *db.Queries) (password string, err error) {
		if keyring, err = settings.OpenKeyring(ctx, q, master); err != nil {
			return "", err
		}
		return base64.RawURLEncoding.EncodeToString(keyring.Sealer().Derive("postgres/"+db.AppRole, 24)), nil
	})
	if err != nil {
		return nil, nil, err
	}
	c.owner = owner
	c.run("audit partitions", func(ctx context.Context) error { return partitions(ctx, owner, c.log) })
	pool, err := db.OpenConfig(ctx, db.Config{URL: app, Name: replica})
	if err != nil {
		return nil, nil, err
	}
	c.stops = append(c.stops, pool.Close)
	keyring.Attach(pool, alone, c.log)
	return pool, keyring, nil
}

// retention builds what archives and purges the audit.
func (c *core) retention(conf *settings.Settings, pool *pgxpool.Pool, store *audit.Store, sign audit.Signer, replica string) (*retention.Service, error) {
	config := retention.Config{
		Pool: pool, Owner: c.owner, Store: store, Sign: sign, Folder: filepath.Join(c.dataDir, "archive"), Replica: replica, Log: c.log,
		Keys: func(ctx context.Context) (audit.Keys, error) {
			keys, err := identity.PublicKeys(ctx, pool)
			return func(kid string) (ed25519.PublicKey, bool) { k, ok := keys[kid]; return k, ok }, err
		},
		Keep: func() retention.Keep {
			return retention.Keep{
				PHI: conf.Int(settings.AuditKeepPHI), PII: conf.Int(settings.AuditKeepPII), Confidential: conf.Int(settings.AuditKeepConfidential),
				Security: conf.Int(settings.AuditKeepSecurity), Other: conf.Int(settings.AuditKeepOther),
			}
		},
	}
	if address := conf.String(settings.AuditArchiveBucket); address != "" {
		bucket, err := retention.NewBucket(address, conf.String(settings.AuditArchiveRegion), conf.String(settings.AuditArchiveKey), conf.String(settings.AuditArchiveSecret))
		if err != nil {
			return nil, err
		}
		config.Bucket = bucket
	}
	return retention.New(config), nil
}

// headCopies are the other places for signed heads that the operator names.
func headCopies(conf *settings.Settings, replica string, log *slog.Logger) (all []*audit.HeadCopier, err error) {
	if address := conf.String(settings.AuditHeadsBucket); address != "" {
		bucket, err := retention.NewBucket(address, conf.String(settings.AuditArchiveRegion), conf.String(settings.AuditArchiveKey), conf.String(settings.AuditArchiveSecret))
		if err != nil {
			return nil, err
		}
		all = append(all, audit.NewHeadCopier(address, retention.Heads{Bucket: bucket, Replica: replica}, log))
	}
	if address := conf.String(settings.AuditHeadsWebhook); address != "" {
		hook, err := siem.NewHeads(address, conf.String(settings.AuditHeadsWebhookKey))
		if err != nil {
			return nil, err
		}
		all = append(all, audit.NewHeadCopier(address, hook, log))
	}
	return all, nil
}

// partitions keeps the audit's months ahead of the calendar.
func partitions(ctx context.Context, owner string, log *slog.Logger) error {
	tick := time.NewTicker(6 * time.Hour)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		pool, err := db.Open(ctx, owner)
		if err == nil {
			err = db.EnsureAuditPartitions(ctx, pool, time.Now(), 3)
			pool.Close()
		}
		if err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "audit partitions not made ahead; trying again", "error", err)
		}
	}
}
