package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/vivified/vivified/core/local"
	"github.com/vivified/vivified/core/settings"
)

// The sample plugins' outside world: one process of the Procfile, and the name
// its pages are found under.
const (
	siteEntry = "hello-site"
	siteHost  = "pages.hello.test"
)

// surroundings are the environments that a development core and its sample
// plugins are started with.
type surroundings struct {
	env     map[string]string // of this program
	core    map[string]string // what the core is given beside it
	dataDir string            // absolute
	listen  string            // host and port of the core
	public  string            // address people and plugins use
	cert    string            // PEM file the core serves https with, or ""
	ports   map[string]int    // one for each process but the core
	dns     int               // the site's resolver; 0 without a site
	remarks []string          // for the person at the terminal
	demo    string            // who can sign in at the demo provider, or ""
}

// surround chooses ports, and what a development core is set to where
// neither environment nor configuration file say otherwise.
func surround(entries []entry, env map[string]string) (*surroundings, error) {
	file, err := settings.ReadFile(env)
	if err != nil {
		return nil, err
	}
	conf, err := settings.New(env, file)
	if err != nil {
		return nil, err
	}
	s := &surroundings{env: env, core: map[string]string{}, cert: conf.String(settings.TLSCertFile)}
	if s.dataDir, err = dataDir(conf); err != nil {
		return nil, err
	}
	s.core["VIVIFIED_DATA_DIR"] = s.dataDir
	if err := s.chooseListen(conf); err != nil {
		return nil, err
	}
	if s.ports, err = choosePorts(entries, filepath.Join(s.dataDir, keptPorts)); err != nil {
		return nil, err
	}
	if _, site := s.ports[siteEntry]; site {
		s.dns = s.ports[coreEntry]
	}
	delete(s.ports, coreEntry)
	if _, demo := s.ports[ssoEntry]; demo {
		if err := s.demoProvider(); err != nil {
			return nil, err
		}
	}
	set, err := s.development(entries)
	if err != nil {
		return nil, err
	}
	for key, value := range set {
		if conf.Origin(key).Layer == settings.Default {
			s.core[key.Definition().Env] = value
		}
	}
	return s, nil
}

// chooseListen takes the address that was asked for. Where nobody asked, and the
// default is taken, it is another port: two checkouts can run side by side.
func (s *surroundings) chooseListen(conf *settings.Settings) error {
	s.listen = conf.String(settings.Listen)
	host, port, err := net.SplitHostPort(s.listen)
	if err != nil {
		return usage{fmt.Errorf("the core cannot listen on %q: %w", s.listen, err)}
	}
	if !local.Host(host) {
		return usage{fmt.Errorf("up lets every plugin in, so its core listens on loopback only, not on %s; run `vivified serve` there", s.listen)}
	}
	byDefault := conf.Origin(settings.Listen).Layer == settings.Default
	if taken := byDefault && !isFree(s.listen); taken || port == "0" {
		ports, err := freePorts(1)
		if err != nil {
			return err
		}
		if taken {
			s.remarks = append(s.remarks, fmt.Sprintf("%s is taken; the core listens on port %d", s.listen, ports[0]))
		}
		s.listen = net.JoinHostPort(host, strconv.Itoa(ports[0]))
		s.core["VIVIFIED_LISTEN"] = s.listen
	}
	if s.public = strings.TrimSuffix(conf.String(settings.PublicURL), "/"); s.public == "" {
		s.public = "http://" + s.listen
		if s.cert != "" {
			s.public = "https://" + s.listen
		}
	}
	return nil
}

// development is how a core is set that lets everybody in, and knows the site.
func (s *surroundings) development(entries []entry) (map[settings.Key]string, error) {
	addresses := map[string]string{}
	at := slices.IndexFunc(entries, func(e entry) bool { return e.name == coreEntry })
	for _, e := range entries[at+1:] {
		addresses[e.name] = "http://" + s.address(e.name)
	}
	set := map[settings.Key]string{
		settings.Registration:      "open",
		settings.AutoEnable:        "true",
		settings.EgressAutoApprove: "true",
		settings.PluginsOutlive:    "false",
	}
	var err error
	if set[settings.PluginAddresses], err = encode(addresses); err != nil {
		return nil, err
	}
	if s.dns == 0 {
		return set, nil
	}
	set[settings.EgressAutoApprovePorts] = strconv.Itoa(s.ports[siteEntry])
	set[settings.DNS] = net.JoinHostPort("127.0.0.1", strconv.Itoa(s.dns))
	set[settings.ProxyCAFile] = filepath.Join(s.dataDir, "dev", "ca.pem")
	set[settings.ProxyPrivateRanges], err = encode(map[string][]string{siteHost: {"127.0.0.1/32"}})
	return set, err
}

func encode(v any) (string, error) {
	text, err := json.Marshal(v)
	return string(text), err
}

// address is where a process but the core answers.
func (s *surroundings) address(name string) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.ports[name]))
}

// port is what a process above core opens when it is there.
func (s *surroundings) port(e entry) int { return s.ports[e.name] }

// of returns the environment of one process. Only the core gets what opens its
// stores: every other process gets no setting of the core at all.
func (s *surroundings) of(e entry) []string {
	env := maps.Clone(s.env)
	if e.name == coreEntry {
		maps.Copy(env, s.core)
		return pairs(env)
	}
	maps.DeleteFunc(env, func(name, _ string) bool { return isCores(name) })
	env["PORT"] = strconv.Itoa(s.ports[e.name])
	env["VIVIFIED_CORE_URL"] = s.public
	env["VIVIFIED_PLUGIN_LISTEN"] = s.address(e.name)
	env["VIVIFIED_PLUGIN_STATE"] = filepath.Join(s.dataDir, "plugins", e.name)
	if s.dns != 0 {
		env["VIVIFIED_HELLO_SITE"] = "https://" + net.JoinHostPort(siteHost, strconv.Itoa(s.ports[siteEntry]))
	}
	if e.name == ssoEntry {
		env["DEX_FILE"] = filepath.Join(s.dataDir, ssoFile)
	}
	if e.name == siteEntry {
		env["VIVIFIED_DATA_DIR"] = s.dataDir
		env["VIVIFIED_HELLO_DNS_PORT"] = strconv.Itoa(s.dns)
	}
	return pairs(env)
}

// isCores reports whether a variable is the core's alone.
func isCores(name string) bool {
	switch name {
	case "DATABASE_URL", "NATS_URL":
		return true
	case "VIVIFIED_LOG_LEVEL", "VIVIFIED_REGISTRATION_TOKEN":
		return false
	}
	return strings.HasPrefix(name, "VIVIFIED_") && !strings.HasPrefix(name, "VIVIFIED_HELLO_") || strings.HasPrefix(name, "PG")
}

// pairs writes an environment as processes get it.
func pairs(env map[string]string) []string {
	all := make([]string, 0, len(env))
	for name, value := range env {
		all = append(all, name+"="+value)
	}
	slices.Sort(all)
	return all
}

// invitation is what the person at the terminal needs now.
func (s *surroundings) invitation() []string {
	lines := []string{"Console      " + s.public}
	link, err := os.ReadFile(filepath.Join(s.dataDir, setupLink))
	switch {
	case err == nil:
		lines = append(lines, "First visit  "+strings.TrimSpace(string(link)))
	case !errors.Is(err, os.ErrNotExist):
		lines = append(lines, "First visit  the link cannot be read: "+err.Error())
	}
	if s.demo != "" {
		lines = append(lines, s.demo)
	}
	return append(lines, "Ctrl-C stops everything")
}
