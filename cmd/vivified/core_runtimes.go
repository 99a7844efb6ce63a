package main

import (
	"errors"
	"net"
	"net/http"
	"path/filepath"

	"golang.org/x/net/netutil"

	"github.com/vivified/vivified/core/bundle"
	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/settings"
	"github.com/vivified/vivified/pluginmgr"
	"github.com/vivified/vivified/pluginmgr/external"
	"github.com/vivified/vivified/pluginmgr/image"
	"github.com/vivified/vivified/pluginmgr/journal"
)

// runtimes builds everything that reaches plugins, and what they write goes to.
func (c *core) runtimes(conf *settings.Settings, reach *external.Runtime) (map[string]pluginmgr.Runtime, *journal.Store, error) {
	all := map[string]pluginmgr.Runtime{manifest.External: reach}
	c.stops = append(c.stops, reach.Close)
	lines, err := journal.Open(filepath.Join(c.dataDir, "logs"), int64(conf.Int(settings.PluginLogBytes)))
	if err != nil {
		return nil, nil, err
	}
	c.stops = append(c.stops, lines.Close)
	if c.bundles, err = bundle.OpenStore(filepath.Join(c.dataDir, "bundles"), bundle.Limits{}); err != nil {
		return nil, nil, err
	}
	c.stops = append(c.stops, func() { c.bundles.Close() })
	images, err := image.Open(filepath.Join(c.dataDir, "images"), c.bundles)
	if err != nil {
		return nil, nil, err
	}
	c.boxes(all, images)
	return all, lines, nil
}

// mostAtSocket is how many connections of one plugin are served at a time.
const mostAtSocket = 256

// atSocket answers what a plugin asks through its socket, once there is a server,
// until the socket is closed.
func (c *core) atSocket(l net.Listener, plugin string) error {
	select {
	case <-c.serving:
	case <-c.gone:
		return nil
	}
	s := c.server.Socket(plugin)
	err := s.Serve(netutil.LimitListener(l, mostAtSocket))
	s.Close()
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
