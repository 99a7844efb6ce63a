package contract_test

import (
	"go/ast"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// readCodes returns the codes of faults and violations made below some
// directories, each with the file that makes it.
func readCodes(t *testing.T, dirs ...string) map[string]string {
	t.Helper()
	fset, into := token.NewFileSet(), map[string]string{}
	imports := little{importer.ForCompiler(fset, "source", nil)}
	for _, dir := range dirs {
		for _, files := range parse(t, fset, dir) {
			s := newSource(fset, files, imports)
			for _, made := range s.made {
				codes, ok := s.values(made, 0)
				at := fset.Position(made.Pos())
				if !ok {
					t.Errorf("%s: which codes can %s be? Teach the test to read it, or list them under open.", at, s.text(made))
				}
				for _, code := range codes {
					if code != "" && into[code] == "" {
						into[code] = strings.TrimPrefix(at.Filename, "../")
					}
				}
			}
		}
	}
	return into
}

// parse returns the files below dir, tests left out, by their directory.
func parse(t *testing.T, fset *token.FileSet, dir string) map[string][]*ast.File {
	t.Helper()
	packages := map[string][]*ast.File{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || d.Name() == "fault"):
			return fs.SkipDir
		case d.IsDir(), !strings.HasSuffix(path, ".go"), strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		packages[filepath.Dir(path)] = append(packages[filepath.Dir(path)], file)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return packages
}

// source is one package, as far as it can be understood without those it imports.
type source struct {
	fset  *token.FileSet
	info  *types.Info
	made  []ast.Expr                // where a code is given
	defs  map[types.Object][]origin // of a variable: what it is set to
	calls map[types.Object][]*ast.CallExpr
	args  map[types.Object]parameter  // of a parameter: whose, and which
	gives map[types.Object][]ast.Expr // of a function: what it returns, first result
}

// origin is an expression; keys says that a variable takes its keys in turn.
type origin struct {
	expr ast.Expr
	keys bool
}

type parameter struct {
	of types.Object
	at int
}

// little imports what codes pass through, and empty packages for all else: what
// is wanted is in the package itself.
type little struct{ real types.Importer }

// Import implements types.Importer.
func (l little) Import(path string) (*types.Package, error) {
	if path == "slices" {
		return l.real.Import(path)
	}
	p := types.NewPackage(path, path[strings.LastIndexByte(path, '/')+1:])
	p.MarkComplete()
	return p, nil
}

func newSource(fset *token.FileSet, files []*ast.File, imports types.Importer) *source {
	s := &source{
		fset: fset, defs: map[types.Object][]origin{}, calls: map[types.Object][]*ast.CallExpr{}, args: map[types.Object]parameter{}, gives: map[types.Object][]ast.Expr{},
		info: &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{}},
	}
	conf := types.Config{Importer: imports, Error: func(error) {}} // what imports would have told is missing
	_, _ = conf.Check(files[0].Name.Name, fset, files, s.info)
	for _, f := range files {
		ast.Inspect(f, s.read)
	}
	return s
}

// read notes what one node says of codes and of what they come from.
func (s *source) read(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.FuncDecl:
		s.function(s.info.Defs[n.Name], n.Type, n.Body)
	case *ast.AssignStmt:
		for i, to := range n.Lhs {
			if sel, ok := to.(*ast.SelectorExpr); ok && sel.Sel.Name == "Code" && len(n.Lhs) == len(n.Rhs) {
				s.made = append(s.made, n.Rhs[i])
			}
			s.assigned(to, n.Rhs, i)
		}
	case *ast.ValueSpec:
		for i, name := range n.Names {
			s.assigned(name, n.Values, i)
		}
	case *ast.RangeStmt:
		if key, ok := n.Key.(*ast.Ident); ok && s.info.Defs[key] != nil {
			obj := s.info.Defs[key]
			s.defs[obj] = append(s.defs[obj], origin{n.X, true})
		}
	case *ast.CallExpr:
		if isOf(n.Fun, "fault", "New") && len(n.Args) > 1 {
			s.made = append(s.made, n.Args[1])
		}
		if obj := s.object(n.Fun); obj != nil {
			s.calls[obj] = append(s.calls[obj], n)
		}
	case *ast.CompositeLit:
		s.literal(n)
	}
	return true
}

// literal notes the code of a fault, of a violation, or of a refused trait.
func (s *source) literal(n *ast.CompositeLit) {
	for name, field := range map[string]string{"Fault": "Code", "Violation": "Rule"} {
		if n.Type == nil || !isOf(n.Type, "fault", name) && !isNamed(n.Type, name) {
			continue
		}
		for _, e := range n.Elts {
			if kv, ok := e.(*ast.KeyValueExpr); ok && isNamed(kv.Key, field) {
				s.made = append(s.made, kv.Value)
			}
		}
	}
	switch {
	case isNamed(n.Type, "Refusal") && len(n.Elts) > 0:
		s.made = append(s.made, n.Elts[0])
	case isNamed(n.Type, "RefusedError"):
		for _, e := range n.Elts {
			if one, ok := e.(*ast.CompositeLit); ok && len(one.Elts) > 0 {
				s.made = append(s.made, one.Elts[0])
			}
		}
	}
}

// function notes a function's parameters and what it returns first.
func (s *source) function(obj types.Object, typ *ast.FuncType, body *ast.BlockStmt) {
	if obj == nil || body == nil {
		return
	}
	i := 0
	for _, field := range typ.Params.List {
		for _, name := range field.Names {
			s.args[s.info.Defs[name]] = parameter{obj, i}
			i++
		}
	}
	ast.Inspect(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.ReturnStmt:
			if len(n.Results) > 0 {
				s.gives[obj] = append(s.gives[obj], n.Results[0])
			}
		}
		return true
	})
}

// assigned notes that a variable is set to the i-th of some values.
func (s *source) assigned(to ast.Expr, values []ast.Expr, i int) {
	name, ok := to.(*ast.Ident)
	if !ok {
		return
	}
	obj := s.info.Defs[name]
	if obj == nil {
		obj = s.info.Uses[name]
	}
	switch {
	case obj == nil:
	case i < len(values) && len(values) > 1 || len(values) == 1 && i == 0: // of several results, the first
		if f, ok := values[i].(*ast.FuncLit); ok {
			s.function(obj, f.Type, f.Body)
		}
		s.defs[obj] = append(s.defs[obj], origin{values[i], false})
	}
}

func (s *source) object(e ast.Expr) types.Object {
	switch e := e.(type) {
	case *ast.Ident:
		return s.info.Uses[e]
	case *ast.SelectorExpr:
		return s.info.Uses[e.Sel]
	}
	return nil
}

// values returns what an expression can be, and whether that is known.
func (s *source) values(e ast.Expr, depth int) ([]string, bool) {
	if v := s.info.Types[e].Value; v != nil && v.Kind() == constant.String {
		return []string{constant.StringVal(v)}, true
	}
	if known, ok := open[s.text(e)]; ok {
		return known, true
	}
	if depth > 8 {
		return nil, false
	}
	switch e := e.(type) {
	case *ast.BinaryExpr:
		left, ok := s.values(e.X, depth+1)
		right, also := s.values(e.Y, depth+1)
		var all []string
		for _, l := range left {
			for _, r := range right {
				all = append(all, l+r)
			}
		}
		return all, ok && also
	case *ast.CallExpr:
		return s.all(s.gives[s.object(e.Fun)], depth)
	case *ast.Ident:
		return s.ofVariable(s.object(e), depth)
	}
	return nil, false
}

func (s *source) ofVariable(obj types.Object, depth int) ([]string, bool) {
	if p, ok := s.args[obj]; ok {
		var given []ast.Expr
		for _, call := range s.calls[p.of] {
			if p.at < len(call.Args) {
				given = append(given, call.Args[p.at])
			}
		}
		return s.all(given, depth)
	}
	var from []ast.Expr
	for _, d := range s.defs[obj] {
		list, ok := d.expr.(*ast.CompositeLit)
		switch {
		case !d.keys:
			from = append(from, d.expr)
		case ok:
			for _, e := range list.Elts {
				if kv, ok := e.(*ast.KeyValueExpr); ok {
					from = append(from, kv.Key)
				}
			}
		default:
			return nil, false
		}
	}
	return s.all(from, depth)
}

func (s *source) all(from []ast.Expr, depth int) (codes []string, ok bool) {
	ok = len(from) > 0
	for _, e := range from {
		more, known := s.values(e, depth+1)
		codes, ok = append(codes, more...), ok && known
	}
	return codes, ok
}

// text returns an expression as it is written.
func (s *source) text(e ast.Expr) string { return types.ExprString(e) }

func isOf(e ast.Expr, pkg, name string) bool {
	sel, ok := e.(*ast.SelectorExpr)
	return ok && isNamed(sel.X, pkg) && sel.Sel.Name == name
}

func isNamed(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}
