package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vivified/vivified/core/manifest"
)

var sampleEntries = []entry{{"hello-site", "s"}, {"core", "c"}, {"hello-publisher", "p"}, {"hello-greeter", "g"}}

// around returns the surroundings of the sample entries in an environment.
func around(t *testing.T, env map[string]string) *surroundings {
	t.Helper()
	if env["VIVIFIED_DATA_DIR"] == "" {
		env["VIVIFIED_DATA_DIR"] = t.TempDir()
	}
	s, err := surround(sampleEntries, env)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// of returns the environment of one process as a map.
func of(s *surroundings, name string) map[string]string {
	env := map[string]string{}
	for _, pair := range s.of(entry{name: name}) {
		key, value, _ := strings.Cut(pair, "=")
		env[key] = value
	}
	return env
}

func TestADevelopmentCoreKnowsItsSamples(t *testing.T) {
	data := t.TempDir()
	s := around(t, map[string]string{"VIVIFIED_DATA_DIR": data, "VIVIFIED_LISTEN": "127.0.0.1:0"})
	core, site, greeter := of(s, "core"), of(s, "hello-site"), of(s, "hello-greeter")
	for name, want := range map[string]string{
		"VIVIFIED_REGISTRATION":              "open",
		"VIVIFIED_AUTO_ENABLE":               "true",
		"VIVIFIED_EGRESS_AUTO_APPROVE":       "true",
		"VIVIFIED_EGRESS_AUTO_APPROVE_PORTS": site["PORT"],
		"VIVIFIED_DNS":                       "127.0.0.1:" + site["VIVIFIED_HELLO_DNS_PORT"],
		"VIVIFIED_PROXY_PRIVATE_RANGES":      `{"pages.hello.test":["127.0.0.1/32"]}`,
		"VIVIFIED_PROXY_CA_FILE":             filepath.Join(site["VIVIFIED_DATA_DIR"], "dev", "ca.pem"),
		"VIVIFIED_PLUGIN_ADDRESSES":          `{"hello-greeter":"http://` + greeter["VIVIFIED_PLUGIN_LISTEN"] + `","hello-publisher":"http://` + of(s, "hello-publisher")["VIVIFIED_PLUGIN_LISTEN"] + `"}`,
		"VIVIFIED_DATA_DIR":                  data,
	} {
		if core[name] != want {
			t.Errorf("the core gets %s=%q, want %q", name, core[name], want)
		}
	}
	if want := "http://" + core["VIVIFIED_LISTEN"]; greeter["VIVIFIED_CORE_URL"] != want || strings.HasSuffix(want, ":0") {
		t.Errorf("the greeter finds the core at %q, want %q", greeter["VIVIFIED_CORE_URL"], want)
	}
	if want := "https://pages.hello.test:" + site["PORT"]; greeter["VIVIFIED_HELLO_SITE"] != want {
		t.Errorf("the greeter finds its pages at %q, want %q", greeter["VIVIFIED_HELLO_SITE"], want)
	}
}

func TestWhatIsSetAlreadyIsLeftAlone(t *testing.T) {
	data := t.TempDir()
	if err := os.WriteFile(filepath.Join(data, "vivified.yaml"), []byte("registration: approval\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	core := of(around(t, map[string]string{"VIVIFIED_DATA_DIR": data, "VIVIFIED_DNS": "127.0.0.1:53", "VIVIFIED_AUTO_ENABLE": "false"}), "core")
	if core["VIVIFIED_DNS"] != "127.0.0.1:53" || core["VIVIFIED_AUTO_ENABLE"] != "false" {
		t.Errorf("the environment was overridden: %v", core)
	}
	if got, set := core["VIVIFIED_REGISTRATION"]; set {
		t.Errorf("the configuration file was overridden by %q", got)
	}
}

func TestPluginsGetNothingThatOpensTheCoresStores(t *testing.T) {
	s := around(t, map[string]string{
		"PATH": "/bin", "DATABASE_URL": "postgres://x/y", "NATS_URL": "nats://x", "PGPASSWORD": "x", "VIVIFIED_LOG_LEVEL": "debug",
		"VIVIFIED_SETUP_TOKEN": "0123456789012345678901234567890123456789", "VIVIFIED_MASTER_KEY": "x", "VIVIFIED_HELLO_INTERVAL": "1s",
	})
	env := of(s, "hello-publisher")
	for _, name := range []string{"DATABASE_URL", "NATS_URL", "PGPASSWORD", "VIVIFIED_SETUP_TOKEN", "VIVIFIED_MASTER_KEY", "VIVIFIED_DATA_DIR"} {
		if value, there := env[name]; there {
			t.Errorf("a plugin gets %s=%q", name, value)
		}
	}
	for _, name := range []string{"PATH", "VIVIFIED_LOG_LEVEL", "VIVIFIED_HELLO_INTERVAL", "VIVIFIED_PLUGIN_STATE"} {
		if env[name] == "" {
			t.Errorf("a plugin does not get %s", name)
		}
	}
}

func TestACoreThatLetsEverybodyInListensOnLoopback(t *testing.T) {
	_, err := surround(sampleEntries, map[string]string{"VIVIFIED_DATA_DIR": t.TempDir(), "VIVIFIED_LISTEN": "0.0.0.0:8080"})
	if err == nil || !strings.Contains(err.Error(), "loopback") {
		t.Errorf("listening everywhere ended with %v, want a refusal", err)
	}
}

func TestATakenDefaultPortIsReplacedAndSaid(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:8080")
	if err == nil {
		defer taken.Close()
	} // else somebody else has it: all the better
	s := around(t, map[string]string{})
	if s.listen == "127.0.0.1:8080" || len(s.remarks) != 1 || !isFree(s.listen) {
		t.Errorf("the core listens on %s with remarks %q", s.listen, s.remarks)
	}
}

func TestTheInvitationHoldsTheSetupLinkWhileThereIsOne(t *testing.T) {
	s := around(t, map[string]string{"VIVIFIED_LISTEN": "127.0.0.1:9"})
	if got := strings.Join(s.invitation(), "\n"); got != "Console      http://127.0.0.1:9\nCtrl-C stops everything" {
		t.Errorf("invited to\n%s", got)
	}
	if err := os.WriteFile(filepath.Join(s.dataDir, setupLink), []byte("http://127.0.0.1:9/setup?token=x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := s.invitation()[1]; got != "First visit  http://127.0.0.1:9/setup?token=x" {
		t.Errorf("invited to %s", got)
	}
}

func TestTheSamplesManifestsAreGood(t *testing.T) {
	files, err := filepath.Glob("../../plugins/*/manifest.json")
	if err != nil || len(files) < 3 {
		t.Fatalf("found %v, %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m, findings := manifest.Read(text, manifest.Options{})
		for _, f := range findings {
			t.Errorf("%s: %s at %s: %s", file, f.Rule, f.Path, f.Message)
		}
		if want := filepath.Base(filepath.Dir(file)); m.ID != want {
			t.Errorf("%s is of %s, want %s", file, m.ID, want)
		}
	}
}
