package vivified_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/vivified/vivified/core/settings"
)

var update = flag.Bool("update", false, "write the table of settings in docs/operations.md anew")

// home is how pages of the site link to what lies outside docs.
const home = "https://github.com/vivified/vivified/blob/main/"

// texts are the README and the pages of docs, by path.
func texts(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("docs/*.md")
	if err != nil || len(files) == 0 {
		t.Fatal("no docs", err)
	}
	all := map[string]string{}
	for _, f := range append(files, "README.md") {
		all[f] = read(t, f)
	}
	return all
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var (
	fence   = regexp.MustCompile("(?ms)^```.*?^```$")
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	noMark  = regexp.MustCompile(`[^a-z0-9 _-]`)
)

// anchors are the places of a page that a link can name.
func anchors(text string) []string {
	var all []string
	for _, h := range heading.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		all = append(all, strings.ReplaceAll(noMark.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-"))
	}
	return all
}

func TestDocsLinkToWhatIsThere(t *testing.T) {
	for path, text := range texts(t) {
		for _, m := range link.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
			to, place, _ := strings.Cut(m[1], "#")
			if rest, ours := strings.CutPrefix(to, home); ours {
				to = rest
			} else if strings.Contains(to, "://") {
				continue
			} else if to == "" {
				to = path
			} else {
				to = filepath.Join(filepath.Dir(path), to)
			}
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s links to %s, which is not there", path, m[1])
			} else if place != "" && !slices.Contains(anchors(read(t, to)), place) {
				t.Errorf("%s links to %s, which has no such heading", path, m[1])
			}
		}
	}
}

// TestDocsSiteHasEveryPage: what mkdocs.yml lists is there, and nothing is left out.
func TestDocsSiteHasEveryPage(t *testing.T) {
	var site struct {
		Nav []map[string]string `yaml:"nav"`
	}
	var node yaml.Node
	if err := yaml.Unmarshal([]byte(read(t, "docs/mkdocs.yml")), &node); err != nil {
		t.Fatal(err)
	}
	_ = node.Decode(&site) // tags of Python elsewhere in the file are none of ours
	listed := map[string]bool{}
	for _, entry := range site.Nav {
		for _, page := range entry {
			listed[filepath.Join("docs", page)] = true
		}
	}
	for path := range texts(t) {
		if !listed[path] && path != "README.md" {
			t.Errorf("mkdocs.yml does not list %s", path)
		}
		delete(listed, path)
	}
	for path := range listed {
		t.Errorf("mkdocs.yml lists %s, which is not there", path)
	}
}

var (
	span   = regexp.MustCompile("`[^`\n]+`")
	making = regexp.MustCompile(`\bmake ([a-z][a-z-]*)`)
	target = regexp.MustCompile(`(?m)^([a-z][a-z-]*):`)
	cli    = regexp.MustCompile(`\bvivified ((?:[a-z][a-z-]*)(?: [a-z][a-z-]*)?)`)
	names  = regexp.MustCompile(`\b(VIVIFIED_[A-Z_]+[A-Z]|DATABASE_URL|NATS_URL)\b`)
)

// code is what a page sets as code.
func code(text string) string {
	blocks := strings.Join(fence.FindAllString(text, -1), "\n")
	return blocks + "\n" + strings.Join(span.FindAllString(fence.ReplaceAllString(text, ""), -1), "\n")
}

func TestDocsNameWhatCanBeRun(t *testing.T) {
	targets := map[string]bool{}
	for _, m := range target.FindAllStringSubmatch(read(t, "Makefile"), -1) {
		targets[m[1]] = true
	}
	commands := commandLines(t)
	for path, text := range texts(t) {
		for _, m := range making.FindAllStringSubmatch(code(text), -1) {
			if !targets[m[1]] {
				t.Errorf("%s names make %s, which the Makefile does not have", path, m[1])
			}
		}
		for _, m := range cli.FindAllStringSubmatch(code(text), -1) {
			first, second, _ := strings.Cut(m[1], " ")
			children, ok := commands[first]
			if !ok || len(children) > 0 && second != "" && !slices.Contains(children, second) {
				t.Errorf("%s names vivified %s, which is no command", path, m[1])
			}
		}
	}
}

// commandLines reads from the sources which commands there are, and those below them.
func commandLines(t *testing.T) map[string][]string {
	t.Helper()
	files, err := filepath.Glob("cmd/vivified/*.go")
	if err != nil {
		t.Fatal(err)
	}
	uses, commands := map[string]bool{}, map[string][]string{}
	first := func(e ast.Expr) string {
		lit, ok := e.(*ast.BasicLit)
		if !ok {
			return ""
		}
		text, _ := strconv.Unquote(lit.Value)
		name, _, _ := strings.Cut(text, " ")
		return name
	}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		below := "" // the parent whose function this is
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				below = ""
				ast.Inspect(n, func(n ast.Node) bool {
					if call, ok := n.(*ast.CallExpr); ok && isIdent(call.Fun, "parent") {
						below = first(call.Args[0])
						commands[below] = []string{}
					}
					return true
				})
			case *ast.CallExpr:
				if isIdent(n.Fun, "pluginCommand") {
					commands[below] = append(commands[below], first(n.Args[0]))
				}
			case *ast.KeyValueExpr:
				if name := first(n.Value); isIdent(n.Key, "Use") && name != "" {
					uses[name] = true
					if below != "" {
						commands[below] = append(commands[below], name)
					} else if name != "vivified" {
						commands[name] = nil
					}
				}
			}
			return true
		})
	}
	for _, want := range []string{"serve", "up", "login", "plugins", "audit", "validate"} {
		if _, ok := commands[want]; !ok {
			t.Fatalf("the sources no longer show the command %s: teach this test to read them", want)
		}
	}
	return commands
}

func isIdent(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}

// besides are variables that are no settings: read before there are any, by the
// command line, or by plugins.
var besides = []string{
	"VIVIFIED_MASTER_KEY", "VIVIFIED_MASTER_KEY_FILE", "VIVIFIED_MASTER_KEY_COMMAND", "VIVIFIED_SERVER", "VIVIFIED_TOKEN",
	"VIVIFIED_CORE_URL", "VIVIFIED_CORE_SOCKET", "VIVIFIED_PLUGIN_LISTEN", "VIVIFIED_PLUGIN_SOCKET", "VIVIFIED_PLUGIN_STATE", "VIVIFIED_REGISTRATION_TOKEN",
}

func TestDocsNameVariablesThatAreRead(t *testing.T) {
	declared := map[string]bool{}
	for _, k := range settings.Keys() {
		declared[k.Definition().Env] = true
	}
	for path, text := range texts(t) {
		for _, name := range names.FindAllString(text, -1) {
			if !declared[name] && !slices.Contains(besides, name) {
				t.Errorf("%s names the variable %s, which nothing reads", path, name)
			}
		}
	}
}

const (
	tableBegins = "<!-- settings: written by `go test . -run Settings -update` -->\n"
	tableEnds   = "<!-- /settings -->"
)

// TestDocsListEverySetting: the tables of docs/operations.md say of each setting
// what its declaration says.
func TestDocsListEverySetting(t *testing.T) {
	const path = "docs/operations.md"
	text := read(t, path)
	before, rest, ok := strings.Cut(text, tableBegins)
	have, after, also := strings.Cut(rest, tableEnds)
	if !ok || !also {
		t.Fatalf("%s has no place for the settings between %q and %q", path, tableBegins, tableEnds)
	}
	want := settingTables()
	if have == want {
		return
	}
	if !*update {
		t.Fatalf("%s does not say what the settings are; run the test with -update", path)
	}
	if err := os.WriteFile(path, []byte(before+tableBegins+want+tableEnds+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// settingTables writes one table for each group of settings.
func settingTables() string {
	var b strings.Builder
	group := ""
	for _, k := range settings.Keys() {
		d := k.Definition()
		if d.Group != group {
			group = d.Group
			fmt.Fprintf(&b, "\n### %s\n\n| Setting | Variable | Default | | Changes |\n|---|---|---|---|---|\n", group)
		}
		byDefault := "–"
		if d.Default != "" {
			byDefault = "`" + d.Default + "`"
		}
		changes := "at start"
		switch {
		case d.Reach.Allows(settings.Database) && d.Restart:
			changes = "running, restart"
		case d.Reach.Allows(settings.Database):
			changes = "running"
		}
		about := d.Description
		if len(d.Choices) > 0 {
			about += " One of `" + strings.Join(d.Choices, "`, `") + "`."
		}
		if d.Secret {
			about += " Secret."
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s | %s |\n", d.Name, d.Env, byDefault, strings.ReplaceAll(about, "|", `\|`), changes)
	}
	return b.String() + "\n"
}
