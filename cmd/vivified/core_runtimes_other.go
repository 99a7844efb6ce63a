//go:build !linux

package main

import (
	"github.com/vivified/vivified/pluginmgr"
	"github.com/vivified/vivified/pluginmgr/image"
)

// boxes adds nothing: what runs plugins here is Linux's.
func (c *core) boxes(map[string]pluginmgr.Runtime, *image.Roots) {}
