package main

import (
	"path/filepath"

	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/pluginmgr"
	"github.com/vivified/vivified/pluginmgr/image"
	"github.com/vivified/vivified/pluginmgr/sandbox"
)

// boxes adds the runtimes that start plugins.
func (c *core) boxes(all map[string]pluginmgr.Runtime, images *image.Roots) {
	box := sandbox.New(sandbox.Config{Dir: filepath.Join(c.dataDir, "sandbox"), Images: images, Serve: c.atSocket, Log: c.log.With("part", "sandbox")})
	c.stops = append(c.stops, box.Close)
	all[manifest.Sandbox] = box
}
