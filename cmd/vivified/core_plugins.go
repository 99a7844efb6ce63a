package main

import (
	"encoding/json"
	"log/slog"
	"net"
	"net/netip"
	"strconv"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/gate"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/core/settings"
	"github.com/vivified/vivified/lanes/proxy"
	"github.com/vivified/vivified/pluginmgr"
)

// outside builds the proxy lane.
func outside(conf *settings.Settings, pool *pgxpool.Pool, plugins *registry.Registry, door *gate.Gate, sealer *settings.Sealer, own []netip.AddrPort, log *slog.Logger) (*proxy.Lane, error) {
	var raw json.RawMessage
	if err := conf.JSON(settings.ProxyPrivateRanges, &raw); err != nil {
		return nil, err
	}
	ranges, err := proxy.ParseRanges(raw) // refuses more than the setting's form does, such as a metadata service
	if err != nil {
		return nil, fault.New(fault.Invalid, "settings.invalid", "proxy_private_ranges: %v.", err).Because(err)
	}
	roots, err := proxy.Roots(conf.String(settings.ProxyCAFile))
	if err != nil {
		return nil, err
	}
	return proxy.New(proxy.Config{
		Plugins: plugins, Gate: door, Observer: plugins, Resolver: proxy.NewResolver(resolver(conf.String(settings.DNS))),
		Judge: proxy.Judge{Ranges: ranges, Own: own}, Roots: roots, HashKey: sealer.Derive("proxy/query", 32), Pool: pool, Sealer: sealer, Log: log,
		Limits: proxy.Limits{
			Body: int64(conf.Int(settings.LimitProxyBytes)), Timeout: conf.Duration(settings.ProxyTimeout),
			Rate: conf.Int(settings.LimitPluginRate), InFlight: conf.Int(settings.LimitPluginInFlight),
		},
	}), nil
}

func resolver(address string) netip.AddrPort {
	if ap, err := netip.ParseAddrPort(address); err == nil {
		return ap
	}
	if a, err := netip.ParseAddr(address); err == nil {
		return netip.AddrPortFrom(a, 53)
	}
	return netip.AddrPort{}
}

// pluginNetworks are where plugins may be reached: loopback when nothing is
// said and the core itself listens there, else nowhere.
func pluginNetworks(conf *settings.Settings, at net.Addr) []netip.Prefix {
	if n := conf.Prefixes(settings.PluginNetworks); len(n) > 0 {
		return n
	}
	if tcp, ok := at.(*net.TCPAddr); ok && tcp.IP.IsLoopback() {
		return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	}
	return nil
}

func pluginPolicy(conf *settings.Settings, networks []netip.Prefix) pluginmgr.Policy {
	p := pluginmgr.Policy{
		Registration: conf.String(settings.Registration), AutoEnable: conf.Bool(settings.AutoEnable), EgressAuto: conf.Bool(settings.EgressAutoApprove),
		Networks: networks, Addresses: map[string]string{}, Unhealthy: conf.String(settings.UnhealthyAction),
		Limits: pluginmgr.Limits{
			Memory: int64(conf.Int(settings.PluginMemory)) << 20, CPU: float64(conf.Int(settings.PluginCPU)) / 1000, PIDs: conf.Int(settings.PluginPIDs),
			Storage: int64(conf.Int(settings.PluginStorage)) << 20,
		},
	}
	_ = conf.JSON(settings.PluginAddresses, &p.Addresses) // its form was checked when it was set
	for _, port := range conf.Strings(settings.EgressAutoApprovePorts) {
		if n, err := strconv.ParseInt(port, 10, 32); err == nil {
			p.EgressPorts = append(p.EgressPorts, int32(n))
		}
	}
	return p
}
