package main

import (
	"cmp"
	"log/slog"
	"path/filepath"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/vivified/vivified/core/job"
	"github.com/vivified/vivified/core/market"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/core/settings"
	"github.com/vivified/vivified/pluginmgr"
)

// marketplace builds the shelf, the jobs, and what installs from the one by the other.
func (c *core) marketplace(conf *settings.Settings, pool *pgxpool.Pool, plugins *registry.Registry, manager *pluginmgr.Manager, log *slog.Logger) *pluginmgr.Installer {
	shelf := market.New(market.Config{
		Pool: pool, Store: c.bundles, Options: plugins.ReadOptions, Runtimes: manager.RuntimeKinds, Log: log,
		Folder: cmp.Or(conf.String(settings.MarketplaceFolder), filepath.Join(c.dataDir, "plugins")),
		Policy: func() market.Policy {
			return market.Policy{
				Signatures: conf.Int(settings.MarketplaceSignatures), AllowPlugins: conf.Strings(settings.MarketplaceAllowPlugins), AllowPublishers: conf.Strings(settings.MarketplaceAllowPublishers),
				BlockPlugins: conf.Strings(settings.MarketplaceBlockPlugins), BlockPublishers: conf.Strings(settings.MarketplaceBlockPublishers),
			}
		},
	})
	jobs := job.New(job.Config{Pool: pool, Log: log})
	installer := &pluginmgr.Installer{Manager: manager, Shelf: shelf, Jobs: jobs}
	jobs.Plans = installer.Plans()
	c.run("marketplace", shelf.Run)
	c.run("jobs", jobs.Run)
	return installer
}
