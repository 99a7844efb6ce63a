package handlers_test

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	vivifiedv1 "github.com/vivified/vivified/contract/vivified/v1"
	"github.com/vivified/vivified/core/audit"
)

// rpc is a gRPC connection to the core, in cleartext as plugins beside it speak it.
func (c *core) rpc() *grpc.ClientConn {
	c.t.Helper()
	conn := must(grpc.NewClient(strings.TrimPrefix(c.URL, "http://"), grpc.WithTransportCredentials(insecure.NewCredentials())))(c.t)
	c.t.Cleanup(func() { conn.Close() })
	return conn
}

// bearing returns a context that carries a token, and ends long after any answer.
func bearing(t testing.TB, token string) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	if token == "" {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
}

// problemOf reads what a refusal tells, and that both ways of telling agree.
func problemOf(t testing.TB, err error) (*status.Status, *vivifiedv1.Problem) {
	t.Helper()
	st := status.Convert(err)
	p, info := &vivifiedv1.Problem{}, &errdetails.ErrorInfo{}
	for _, d := range st.Details() {
		switch d := d.(type) {
		case *vivifiedv1.Problem:
			p = d
		case *errdetails.ErrorInfo:
			info = d
		}
	}
	if err != nil && (p.Code == "" || p.Code != info.Reason || p.Detail != st.Message() || len(p.TraceId) != 32) {
		t.Errorf("%v does not tell what it refuses: %v, %v", st, p, info)
	}
	return st, p
}

func TestEveryMethodOfTheContractHasARoute(t *testing.T) {
	routes := map[string]bool{}
	for _, r := range newCore(t).Server.Table() {
		routes[r[1]] = true
	}
	protoregistry.GlobalFiles.RangeFilesByPackage("vivified.v1", func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			for s, j := f.Services().Get(i), 0; j < s.Methods().Len(); j++ {
				if path := "/" + string(s.FullName()) + "/" + string(s.Methods().Get(j).Name()); !routes[path] {
					t.Errorf("nothing answers %s", path)
				}
			}
		}
		return true
	})
}

// profiles is a plugin whose operations tell what arrived.
func profiles(c *core) {
	c.enabled("profiles", map[string]any{"endpoints": map[string]any{
		"show": map[string]any{"path": "/profiles/{id}", "method": "GET"}, "echo": map[string]any{"path": "/echo", "method": "POST"},
		"rooms": map[string]any{"path": "/rooms", "method": "POST", "request_schema": map[string]any{"type": "object", "required": []string{"name"}}},
		"slow":  map[string]any{"path": "/slow", "method": "GET"}, "count": map[string]any{"path": "/count", "method": "GET"},
	}}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/echo":
			w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
			_ = http.NewResponseController(w).EnableFullDuplex()
			_, _ = io.Copy(w, r.Body)
		case "/slow":
			<-r.Context().Done()
		case "/count":
			for _, n := range []string{"one ", "two ", "three"} {
				_, _ = io.WriteString(w, n)
				w.(http.Flusher).Flush()
			}
		case "/profiles/gone":
			w.WriteHeader(http.StatusGone)
		default:
			w.Header().Set("Set-Cookie", "a=b")
			w.Header().Set("X-Kind", "profile")
			_, _ = io.WriteString(w, r.Method+" "+r.URL.RequestURI())
		}
	}))
}

func TestInvoke(t *testing.T) {
	c := newCore(t)
	profiles(c)
	caller := callerOf(c, "profiles")
	client := vivifiedv1.NewOperatorClient(c.rpc())
	for _, tt := range []struct {
		name   string
		in     *vivifiedv1.InvokeRequest
		status int32
		body   string
	}{
		{"by its name", &vivifiedv1.InvokeRequest{Target: "profiles", Operation: "show", Query: "id=7&x=1"}, 200, "GET /profiles/7?x=1"},
		{"by its path", &vivifiedv1.InvokeRequest{Target: "profiles", Path: "/profiles/a%20b"}, 200, "GET /profiles/a%20b"},
		{"with a body", &vivifiedv1.InvokeRequest{Target: "profiles", Operation: "echo", Body: []byte(`{"a":1}`)}, 200, `{"a":1}`},
		{"a refusal of the plugin is an answer", &vivifiedv1.InvokeRequest{Target: "profiles", Operation: "show", Query: "id=gone"}, 410, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, err := client.Invoke(bearing(t, caller.Token), tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if out.Status != tt.status || string(out.Body) != tt.body || out.DecisionId == "" {
				t.Errorf("answered %d %q", out.Status, out.Body)
			}
			if slices.ContainsFunc(out.Headers, func(h *vivifiedv1.Header) bool { return h.Name == "set-cookie" || h.Name == "connection" }) {
				t.Errorf("headers came through that end at the core: %v", out.Headers)
			}
		})
	}
	if n := len(c.records(audit.Filter{Action: "operator.call", Outcome: audit.Allow})); n != 4 {
		t.Errorf("%d calls are recorded, want 4", n)
	}
}

func TestInvokeThatIsRefused(t *testing.T) {
	c := newCore(t)
	profiles(c)
	caller, stranger := callerOf(c, "profiles"), c.enabled("stranger", nil, nil)
	client := vivifiedv1.NewOperatorClient(c.rpc())
	for _, tt := range []struct {
		name, token string
		in          *vivifiedv1.InvokeRequest
		want        codes.Code
		code        string
		decided     bool
	}{
		{"nobody", "", &vivifiedv1.InvokeRequest{Target: "profiles", Operation: "show"}, codes.Unauthenticated, "auth.required", false},
		{"a forged token", "x.y.z", &vivifiedv1.InvokeRequest{Target: "profiles", Operation: "show"}, codes.Unauthenticated, "auth.invalid", false},
		{"no grant", stranger.Token, &vivifiedv1.InvokeRequest{Target: "profiles", Operation: "show", Query: "id=1"}, codes.PermissionDenied, "operator.grant", true},
		{"an unknown operation", caller.Token, &vivifiedv1.InvokeRequest{Target: "profiles", Operation: "erase"}, codes.NotFound, "operator.endpoint", true},
		{"no operation", caller.Token, &vivifiedv1.InvokeRequest{Target: "profiles"}, codes.InvalidArgument, "path.name", false},
		{"a target that is a path", caller.Token, &vivifiedv1.InvokeRequest{Target: "profiles/-", Operation: "show"}, codes.InvalidArgument, "path.name", false},
		{"a path with dots", caller.Token, &vivifiedv1.InvokeRequest{Target: "profiles", Path: "/profiles/../echo"}, codes.InvalidArgument, "path.dots", false},
		{"a path with a query", caller.Token, &vivifiedv1.InvokeRequest{Target: "profiles", Path: "/profiles/1?x"}, codes.InvalidArgument, "path.form", false},
		{"a header that is two", caller.Token, &vivifiedv1.InvokeRequest{Target: "profiles", Operation: "show", Query: "id=1", Headers: []*vivifiedv1.Header{{Name: "accept", Values: []string{"a\r\nX-Vivified-User: admin"}}}}, codes.InvalidArgument, "request.malformed", false},
		{"a method that is none", caller.Token, &vivifiedv1.InvokeRequest{Target: "profiles", Operation: "show", Method: "TRACE"}, codes.NotFound, "route.method", false},
		{"a schema", caller.Token, &vivifiedv1.InvokeRequest{Target: "profiles", Operation: "rooms", Body: []byte(`{}`)}, codes.InvalidArgument, "operator.schema", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := client.Invoke(bearing(t, tt.token), tt.in)
			st, p := problemOf(t, err)
			if st.Code() != tt.want || p.Code != tt.code || (p.DecisionId != "") != tt.decided {
				t.Errorf("answered %s %q, decision %q, want %s %q", st.Code(), p.Code, p.DecisionId, tt.want, tt.code)
			}
			if tt.code == "operator.schema" && len(p.Errors) == 0 {
				t.Error("the violations are not told")
			}
		})
	}
	t.Run("a deadline", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(bearing(t, caller.Token), 500*time.Millisecond)
		defer cancel()
		if _, err := client.Invoke(ctx, &vivifiedv1.InvokeRequest{Target: "profiles", Operation: "slow"}); status.Code(err) != codes.DeadlineExceeded {
			t.Errorf("answered %v", err)
		}
		c.eventually("the call that ran out of time has its outcome", func() bool {
			return len(c.records(audit.Filter{Action: "operator.call", Outcome: audit.Failed})) == 1
		})
	})
}

func TestInvokeStream(t *testing.T) {
	c := newCore(t)
	profiles(c)
	caller := callerOf(c, "profiles")
	client := vivifiedv1.NewOperatorClient(c.rpc())
	call := func(in *vivifiedv1.InvokeRequest) *vivifiedv1.InvokeStreamRequest {
		return &vivifiedv1.InvokeStreamRequest{Part: &vivifiedv1.InvokeStreamRequest_Call{Call: in}}
	}
	piece := func(text string) *vivifiedv1.InvokeStreamRequest {
		return &vivifiedv1.InvokeStreamRequest{Part: &vivifiedv1.InvokeStreamRequest_Body{Body: []byte(text)}}
	}
	for _, tt := range []struct {
		name string
		send []*vivifiedv1.InvokeStreamRequest
		body string
		code string
	}{
		{"both ways", []*vivifiedv1.InvokeStreamRequest{call(&vivifiedv1.InvokeRequest{Target: "profiles", Operation: "echo", Body: []byte("a")}), piece("b"), piece("c")}, "abc", ""},
		{"the answer", []*vivifiedv1.InvokeStreamRequest{call(&vivifiedv1.InvokeRequest{Target: "profiles", Operation: "count", Method: "GET"})}, "one two three", ""},
		{"no call", []*vivifiedv1.InvokeStreamRequest{piece("a")}, "", "request.stream"},
		{"an operation that is not there", []*vivifiedv1.InvokeStreamRequest{call(&vivifiedv1.InvokeRequest{Target: "profiles", Operation: "erase"})}, "", "operator.endpoint"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			stream := must(client.InvokeStream(bearing(t, caller.Token)))(t)
			for _, part := range tt.send {
				if err := stream.Send(part); err != nil && err != io.EOF {
					t.Fatal(err)
				}
			}
			_ = stream.CloseSend()
			var body []byte
			var head *vivifiedv1.InvokeResponse
			for {
				part, err := stream.Recv()
				if err == io.EOF {
					break
				}
				if err != nil {
					if _, p := problemOf(t, err); p.Code != tt.code {
						t.Errorf("refused by %v, want %q", err, tt.code)
					}
					return
				}
				if a := part.GetAnswer(); a != nil {
					head = a
				}
				body = append(body, part.GetBody()...)
			}
			if tt.code != "" || head.GetStatus() != 200 || string(body) != tt.body {
				t.Errorf("answered %v %q, want %q", head, body, tt.body)
			}
		})
	}
}
