// Package vivified_test holds the house together: it parses the sources and
// refuses imports that climb.
package vivified_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// floors gives each room its floor. A room imports strictly lower floors.
var floors = map[string]int{
	"contract": 0, "contract/vivified/v1": 0, "static": 0, "core/fault": 0, "core/wire": 0, "core/jq": 0, "core/local": 0, "core/trait": 1, "core/actor": 2, "core/manifest": 2, "core/canon": 2, "views": 2, "db": 2,
	"core/bundle": 3, "core/policy": 3, "core/audit": 3, "core/gate": 4, "core/registry": 5, "core/identity": 5, "core/settings": 5, "core/job": 5, "core/storage": 5,
	"core/entity": 6, "core/rules": 6, "core/rulebook": 6, "core/sso": 6, "core/siem": 6, "core/retention": 6, "core/market": 6, "core/approval": 7, "core/alert": 7, "core/evidence": 7, "lanes/canonical": 7, "lanes/operator": 7, "lanes/proxy": 7, "pluginmgr/journal": 6, "pluginmgr/image": 6, "pluginmgr": 7,
	"pluginmgr/external": 8, "pluginmgr/isolate": 8, "pluginmgr/socket": 8, "pluginmgr/runtimetest": 8, "pluginmgr/sandbox": 9, "pluginmgr/container": 9, "pluginmgr/kubernetes": 9,
	"handlers": 10, "cmd/vivified": 11,
}

// apart are folders that are no rooms of the tower: other modules, or code that only tests use.
var apart = []string{"sdk", "plugins", "tools", "bench", "e2e", "docs", "deploy", "var", "bin"}

const module = "github.com/vivified/vivified/"

func TestFloors(t *testing.T) {
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			for _, a := range apart {
				if path == a {
					return fs.SkipDir
				}
			}
			if strings.HasPrefix(d.Name(), ".") && path != "." || d.Name() == "testdata" {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || filepath.Dir(path) == "." {
			return nil
		}
		room := filepath.ToSlash(filepath.Dir(path))
		if room == "db/dbtest" {
			return nil // only tests use it
		}
		floor, known := floors[room]
		if !known {
			t.Errorf("%s lies in no room of the house", path)
			return nil
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, src, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			name, _ := strconv.Unquote(spec.Path.Value)
			to, ours := strings.CutPrefix(name, module)
			if !ours {
				continue
			}
			below, known := floors[to]
			switch {
			case !known:
				t.Errorf("%s imports %s, which is no room of the house", path, to)
			case below >= floor:
				t.Errorf("%s (floor %d) imports %s (floor %d): only lower floors may be imported", path, floor, to, below)
			case room == "handlers" && to == "db":
				t.Errorf("%s imports db: handlers ask services", path)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
