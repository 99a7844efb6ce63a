package vivified

import (
	"log/slog"
	"os"
	"time"
)

// DefaultCoreURL is where a core listens when nobody says otherwise.
const DefaultCoreURL = "http://127.0.0.1:8080"

// Config says where the core is and how the plugin behaves. The zero value works.
type Config struct {
	CoreURL           string        // base address of the core; default DefaultCoreURL
	CoreSocket        string        // unix socket of the core; when set, CoreURL gives only the scheme and the host name
	Listen            string        // TCP address to answer calls on; default 127.0.0.1 and the manifest's health_check.port
	Socket            string        // unix socket to answer calls on, instead of Listen
	RegistrationToken string        // proof for the first registration; default none
	StateDir          string        // directory that keeps the refresh token; default none: the token lives in memory only
	Logger            *slog.Logger  // default slog.Default()
	HeartbeatEvery    time.Duration // default 30 s
	CallTimeout       time.Duration // for a request whose context has no deadline; default 30 s
	StopGrace         time.Duration // for the work in hand when Run is asked to stop; default 10 s
	BodyLimit         int64         // bytes read of any request or answer body; default 10 MiB
}

// FromEnvironment reads a Config from the variables that the core and `vivified up` give to a plugin:
// VIVIFIED_CORE_URL, VIVIFIED_CORE_SOCKET, VIVIFIED_PLUGIN_LISTEN, VIVIFIED_PLUGIN_SOCKET,
// VIVIFIED_REGISTRATION_TOKEN and VIVIFIED_PLUGIN_STATE.
func FromEnvironment() Config {
	return Config{
		CoreURL:           os.Getenv("VIVIFIED_CORE_URL"),
		CoreSocket:        os.Getenv("VIVIFIED_CORE_SOCKET"),
		Listen:            os.Getenv("VIVIFIED_PLUGIN_LISTEN"),
		Socket:            os.Getenv("VIVIFIED_PLUGIN_SOCKET"),
		RegistrationToken: os.Getenv("VIVIFIED_REGISTRATION_TOKEN"),
		StateDir:          os.Getenv("VIVIFIED_PLUGIN_STATE"),
	}
}

// withDefaults returns c with every unset field at its default.
func (c Config) withDefaults() Config {
	if c.CoreURL == "" {
		c.CoreURL = DefaultCoreURL
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.HeartbeatEvery <= 0 {
		c.HeartbeatEvery = 30 * time.Second
	}
	if c.CallTimeout <= 0 {
		c.CallTimeout = 30 * time.Second
	}
	if c.StopGrace <= 0 {
		c.StopGrace = 10 * time.Second
	}
	if c.BodyLimit <= 0 {
		c.BodyLimit = 10 << 20
	}
	return c
}
