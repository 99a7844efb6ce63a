package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/vivified/vivified/core/settings"
)

func dataDir(conf *settings.Settings) (string, error) {
	dir, err := filepath.Abs(conf.String(settings.DataDir))
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make the data directory: %w", err)
	}
	return dir, nil
}

func publicURL(conf *settings.Settings, at net.Addr, secure bool) string {
	if u := conf.String(settings.PublicURL); u != "" {
		return strings.TrimSuffix(u, "/")
	}
	scheme := "http"
	if secure {
		scheme = "https"
	}
	return scheme + "://" + at.String()
}

func replicaName(conf *settings.Settings) string {
	if name := conf.String(settings.Replica); name != "" {
		return name
	}
	host, err := os.Hostname()
	if err != nil || host == "" {
		return "core"
	}
	return host
}

// ownListeners are addresses that no lane may lead to: the core's, its
// database's and its bus's.
func ownListeners(ctx context.Context, conf *settings.Settings, at net.Addr) []netip.AddrPort {
	var own []netip.AddrPort
	if tcp, ok := at.(*net.TCPAddr); ok {
		own = append(own, tcp.AddrPort())
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	for raw, port := range map[string]uint16{conf.String(settings.DatabaseURL): 5432, conf.String(settings.NATSURL): 4222} {
		u, err := url.Parse(raw)
		if err != nil || u.Hostname() == "" {
			continue
		}
		if n, err := strconv.ParseUint(u.Port(), 10, 16); err == nil {
			port = uint16(n)
		}
		addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
		if err != nil {
			continue
		}
		for _, a := range addrs {
			own = append(own, netip.AddrPortFrom(a.Unmap(), port))
		}
	}
	return own
}
