package proxy

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/vivified/vivified/core/fault"
)

// CodeRequest is the code of a request to the lane that cannot be understood.
const CodeRequest = "proxy.request"

// Request is a request in the JSON form: read whole, answered whole.
type Request struct {
	URL             string
	Method          string // "": GET
	Header          http.Header
	Body            []byte
	Timeout         time.Duration // 0: the lane's; never above it
	FollowRedirects bool
	Plugin          string // who the request says it is from; "" or the caller
}

// ParseRequest reads the JSON form: {url, method, headers, body or json, timeout,
// follow_redirects, plugin_id}, or the same as payload of the early clients'
// {caller_plugin, payload, timeout}. A body is a string, base64 where
// body_encoding says so, or any other JSON value, which is sent as JSON. The error
// is an Invalid fault.
func ParseRequest(text []byte) (Request, error) {
	members, err := object(text)
	if err != nil {
		return Request{}, err
	}
	r := Request{FollowRedirects: true}
	if err := r.readOuter(members); err != nil {
		return Request{}, err
	}
	if payload, wrapped := members["payload"]; wrapped && members["url"] == nil {
		if members, err = object(payload); err != nil {
			return Request{}, err
		}
		if err := r.readOuter(members); err != nil {
			return Request{}, err
		}
	}
	for name, into := range map[string]any{"url": &r.URL, "method": &r.Method, "follow_redirects": &r.FollowRedirects} {
		if err := read(members, name, into); err != nil {
			return Request{}, err
		}
	}
	if r.URL == "" {
		return Request{}, invalid("The member url is missing.")
	}
	if r.Header, err = readHeaders(members["headers"]); err != nil {
		return Request{}, err
	}
	return r, r.readBody(members)
}

// readOuter reads what may stand beside the payload as well as in it.
func (r *Request) readOuter(members map[string]json.RawMessage) error {
	for _, name := range []string{"plugin_id", "caller_plugin", "source_plugin"} {
		var plugin string
		if err := read(members, name, &plugin); err != nil {
			return err
		}
		switch {
		case plugin == "":
		case r.Plugin != "" && r.Plugin != plugin:
			return invalid("The request names two plugins.")
		default:
			r.Plugin = plugin
		}
	}
	var seconds *float64
	if err := read(members, "timeout", &seconds); err != nil || seconds == nil {
		return err
	}
	if !(*seconds > 0 && *seconds <= 3600) {
		return invalid("The timeout is a number of seconds above 0.")
	}
	r.Timeout = time.Duration(*seconds * float64(time.Second))
	return nil
}

func (r *Request) readBody(members map[string]json.RawMessage) error {
	raw, asJSON := members["body"], false
	if isNull(raw) {
		raw, asJSON = members["json"], true
	} else if !isNull(members["json"]) {
		return invalid("The request has both body and json.")
	}
	if isNull(raw) {
		return nil
	}
	if asJSON || raw[0] != '"' {
		r.Body = raw
		if r.Header.Get("Content-Type") == "" {
			r.Header.Set("Content-Type", "application/json")
		}
		return nil
	}
	var body, encoding string
	if err := read(members, "body", &body); err != nil {
		return err
	}
	if err := read(members, "body_encoding", &encoding); err != nil {
		return err
	}
	switch encoding {
	case "", "utf-8", "utf8", "text":
		r.Body = []byte(body)
	case "base64":
		decoded, err := base64.StdEncoding.DecodeString(body)
		if err != nil {
			return invalid("The body is not base64, as body_encoding says.")
		}
		r.Body = decoded
	default:
		return invalid("The body_encoding is utf-8 or base64.")
	}
	return nil
}

// readHeaders reads an object of header names with a string, number or array of
// strings each.
func readHeaders(raw json.RawMessage) (http.Header, error) {
	header := make(http.Header)
	if isNull(raw) {
		return header, nil
	}
	members, err := object(raw)
	if err != nil {
		return nil, invalid("The headers are not an object.")
	}
	for name, value := range members {
		var one string
		var several []string
		var number json.Number
		switch {
		case isNull(value):
		case json.Unmarshal(value, &one) == nil:
			header.Add(name, one)
		case json.Unmarshal(value, &several) == nil:
			for _, v := range several {
				header.Add(name, v)
			}
		case value[0] != '"' && json.Unmarshal(value, &number) == nil:
			header.Add(name, number.String())
		default:
			return nil, invalid("A header has a string or an array of strings.")
		}
	}
	return header, nil
}

func object(text []byte) (map[string]json.RawMessage, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil || members == nil {
		return nil, invalid("The request is not a JSON object.")
	}
	return members, nil
}

// read reads a member by its exact name; encoding/json would take URL for url too.
func read(members map[string]json.RawMessage, name string, into any) error {
	raw, ok := members[name]
	if !ok || isNull(raw) {
		return nil
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return invalid("The member %s has the wrong type.", name)
	}
	return nil
}

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// ParseStreamQuery reads the query of the streaming form, url and timeout in
// seconds. A URL that was not percent-encoded would lose whatever follows its
// first ampersand, so any other parameter is refused. The error is an Invalid fault.
func ParseStreamQuery(query string) (rawURL string, timeout time.Duration, err error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return "", 0, invalid("The query is malformed.")
	}
	for name, v := range values {
		if !slices.Contains([]string{"url", "timeout"}, name) || len(v) != 1 {
			return "", 0, invalid("The query has one url, percent-encoded as a whole, and may have a timeout; it has %q.", name)
		}
	}
	if rawURL = values.Get("url"); rawURL == "" {
		return "", 0, invalid("The query parameter url is missing.")
	}
	if text := values.Get("timeout"); text != "" {
		seconds, err := strconv.ParseFloat(text, 64)
		if err != nil || !(seconds > 0 && seconds <= 3600) {
			return "", 0, invalid("The timeout is a number of seconds above 0.")
		}
		timeout = time.Duration(seconds * float64(time.Second))
	}
	return rawURL, timeout, nil
}

// methodOf returns the method in its own spelling. CONNECT and TRACE would turn
// the host into a tunnel or a mirror.
func methodOf(method string) (string, error) {
	if method == "" {
		return http.MethodGet, nil
	}
	method = strings.ToUpper(method)
	if len(method) > 20 || !httpguts.ValidHeaderFieldName(method) || method == http.MethodConnect || method == http.MethodTrace {
		return "", invalid("The method is not one that this lane carries.")
	}
	return method, nil
}

// isIdempotent reports whether a method may be sent again (RFC 9110 section 9.2.2).
func isIdempotent(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}

func invalid(format string, args ...any) error {
	return fault.New(fault.Invalid, CodeRequest, format, args...)
}
