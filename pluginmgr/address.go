package pluginmgr

import (
	"net"
	"net/netip"
	"net/url"
	"strconv"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/registry"
)

// address returns where a plugin is reached now: what the operator says comes
// before what was noted when it registered.
func (m *Manager) address(p *registry.Plugin) (string, error) {
	if a, ok := m.Policy().Addresses[p.ID]; ok {
		return a, nil
	}
	if p.Address == "" {
		return "", fault.New(fault.Unavailable, "target.address", "Nobody said where %s is reached; set its address or let it register again.", p.ID)
	}
	return p.Address, nil
}

// addressOf derives the address of a registering plugin: the operator's map,
// the manifest's base URL, the peer with the port of the health check, or the
// plugin's name in its network.
func (m *Manager) addressOf(mf *manifest.Manifest, peer string) (string, error) {
	policy := m.Policy()
	if a, ok := policy.Addresses[mf.ID]; ok {
		return a, nil
	}
	address := "http://" + mf.ID + ":8080"
	if base := mf.Runtime.BaseURL; base != "" {
		address = base
	} else if mf.HealthCheck != nil && mf.HealthCheck.Port > 0 {
		address = "http://" + net.JoinHostPort(peer, strconv.Itoa(mf.HealthCheck.Port))
	} else if mf.Runtime.Port > 0 {
		address = "http://" + net.JoinHostPort(peer, strconv.Itoa(mf.Runtime.Port))
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		return "", fault.New(fault.Invalid, "runtime.invalid", "The address %q is not an http or https URL.", address)
	}
	// A literal address can be judged now; a name is judged whenever it is dialled.
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && !inside(policy.Networks, ip) {
		return "", fault.New(fault.Denied, "plugin.network", "The address %s lies outside the networks in which plugins may be reached (plugin_networks).", ip)
	}
	return address, nil
}

func inside(networks []netip.Prefix, ip netip.Addr) bool {
	ip = ip.Unmap()
	for _, n := range networks {
		if n.Contains(ip) {
			return true
		}
	}
	return false
}
