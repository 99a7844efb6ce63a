package db

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// fixed are settings given on the command line, where nothing overrides them.
// A relative socket directory is relative to the data directory.
var fixed = [...]string{"listen_addresses=", "port=5432", "unix_socket_permissions=0700"}

// settings are the built-in postgresql.conf: PostgreSQL's own durable defaults
// (fsync, synchronous_commit and full_page_writes on), sized for one core on a
// small machine. ALTER SYSTEM overrides them.
var settings = map[string]string{
	"cluster_name":               "vivified",
	"max_connections":            "100",
	"shared_buffers":             "64MB",
	"wal_compression":            "on",
	"max_wal_size":               "512MB",
	"jit":                        "off",
	"password_encryption":        "scram-sha-256",
	"timezone":                   "UTC",
	"log_timezone":               "UTC",
	"lc_messages":                "C",
	"default_text_search_config": "pg_catalog.english",
	"log_line_prefix":            "",
	"log_checkpoints":            "off",
	"log_min_error_statement":    "panic", // statements and details carry data, the log must not
	"log_error_verbosity":        "terse",
	"log_parameter_max_length":   "0",
}

// hba says who may sign in and how: the owner role is for the system user who
// runs the core, known by the kernel; the app role proves its password. All
// else is refused.
const hba = `# Written by Vivified at every start.
local  all  ` + privateOwner + `  peer map=vivified
local  all  ` + AppRole + `    scram-sha-256
`

// hbaTrust lets in whoever reaches the socket.
const hbaTrust = `# Written by Vivified at every start.
local  all  all  trust
`

// configure writes the configuration files.
func (c *cluster) configure(more map[string]string, hba string) error {
	me, err := systemUser()
	if err != nil {
		return err
	}
	all := maps.Clone(settings)
	maps.Copy(all, more)
	quoted := strings.NewReplacer("'", "''", `\`, `\\`)
	var conf strings.Builder
	conf.WriteString("# Written by Vivified at every start. ALTER SYSTEM overrides it.\n")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&conf, "%s = '%s'\n", name, quoted.Replace(all[name]))
	}
	ident := fmt.Sprintf("# Written by Vivified at every start.\nvivified  \"%s\"  %s\n", strings.ReplaceAll(me, `"`, `""`), privateOwner)
	for _, f := range []struct{ name, text string }{
		{"postgresql.conf", conf.String()}, {"pg_hba.conf", hba}, {"pg_ident.conf", ident},
	} {
		if err := c.write(f.name, f.text); err != nil {
			return fmt.Errorf("write %s: %w", f.name, err)
		}
	}
	return nil
}

// write replaces a file in the data directory by a new one of the owner's.
func (c *cluster) write(name, text string) error {
	draft := name + ".vivified"
	if err := c.root.RemoveAll(draft); err != nil {
		return err
	}
	f, err := c.root.OpenFile(draft, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if c.owner.drop {
		if err := f.Chown(c.owner.uid, c.owner.gid); err != nil {
			return err
		}
	}
	if _, err := f.WriteString(text); err != nil {
		return err
	}
	return c.root.Rename(draft, name)
}

// maxSocketPath is what sockaddr_un holds on every system we run on (macOS:
// 104 bytes with the final zero; Linux: 108).
const maxSocketPath = 103

// temporarySockets is where a socket goes whose path would be too long.
const temporarySockets = "/tmp/vivified-pg-"

// makeSocketDir returns the directory of the server's socket: the data
// directory, which is closed to others, or a short private one.
func (c *cluster) makeSocketDir() (string, error) {
	if len(filepath.Join(c.path, socketName)) <= maxSocketPath {
		return c.path, nil
	}
	dir, err := os.MkdirTemp(filepath.Dir(temporarySockets), filepath.Base(temporarySockets)+"*")
	if err != nil {
		return "", err
	}
	c.socket = dir
	if c.owner.drop {
		return dir, os.Lchown(dir, c.owner.uid, c.owner.gid)
	}
	return dir, nil
}
