package operator

import "strings"

// Prefix is where the operator lane's routes begin.
const Prefix = "/gateway/"

// Route is what a request on the operator lane asks for: an operation by name,
// or a declared path.
type Route struct {
	Target    string // plugin id, as it was sent
	Operation string // endpoint name; "" when a path is asked for
	Path      Path   // without an operation, the path at the target; always the query
}

// ParseRoute reads /gateway/{target}/{operation} or /gateway/{target}/-/{path…}
// from a raw request target. The error is an Invalid fault.
//
// Target and operation are names, so they are taken as sent: an escape in them
// could only hide which plugin is meant.
func ParseRoute(requestURI string) (Route, error) {
	p, err := CanonicalPath(requestURI)
	if err != nil {
		return Route{}, err
	}
	path, _, _ := strings.Cut(requestURI, "?")
	rest, ok := strings.CutPrefix(path, Prefix)
	target, after, more := strings.Cut(rest, "/")
	if !ok || !more || !isTarget(target) {
		return Route{}, refuse(CodeName, "The operator lane is addressed as /gateway/{plugin}/{operation} or /gateway/{plugin}/-/{path}.")
	}
	if strings.HasPrefix(after, "-/") {
		return Route{Target: target, Path: Path{Segments: p.Segments[3:], Query: p.Query}}, nil
	}
	if !isOperation(after) {
		return Route{}, refuse(CodeName, "An operation is named by letters, digits, dots and underscores, without escapes.")
	}
	return Route{Target: target, Operation: after, Path: Path{Query: p.Query}}, nil
}

// NewRoute returns the route of a call that comes in parts: an operation, or a path
// at the target, and the query without its question mark. Each part is judged as
// ParseRoute judges it. The error is an Invalid fault.
func NewRoute(target, operation, path, query string) (Route, error) {
	if !isTarget(target) {
		return Route{}, refuse(CodeName, "The target is the id of a plugin.")
	}
	if (operation == "") == (path == "") {
		return Route{}, refuse(CodeName, "A call names an operation or a path.")
	}
	if operation != "" && !isOperation(operation) {
		return Route{}, refuse(CodeName, "An operation is named by letters, digits, dots and underscores, without escapes.")
	}
	if path == "" {
		path = "/"
	} else if strings.Contains(path, "?") {
		return Route{}, refuse(CodeForm, "The query stands apart from the path.")
	}
	p, err := CanonicalPath(path + "?" + query)
	if err != nil {
		return Route{}, err
	}
	if operation != "" {
		p.Segments = nil
	}
	return Route{Target: target, Operation: operation, Path: p}, nil
}

// isTarget reports whether s has the letters of a plugin id, reverse-DNS ones included.
func isTarget(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for i := 0; i < len(s); i++ {
		if !isAlphanumeric(s[i]) && s[i] != '-' && s[i] != '.' {
			return false
		}
	}
	return true
}

// isOperation reports whether s is an endpoint name: a letter, then at most 63
// letters, digits, underscores and dots.
func isOperation(s string) bool {
	if s == "" || len(s) > 64 || !isAlphanumeric(s[0]) || s[0] <= '9' {
		return false
	}
	for i := 1; i < len(s); i++ {
		if !isAlphanumeric(s[i]) && s[i] != '_' && s[i] != '.' {
			return false
		}
	}
	return true
}
