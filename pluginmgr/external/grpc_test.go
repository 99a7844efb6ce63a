package external_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	vivifiedv1 "github.com/vivified/vivified/contract/vivified/v1"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/pluginmgr"
	"github.com/vivified/vivified/pluginmgr/external"
)

// speaker is a plugin that answers by gRPC; whole says only whole messages.
type speaker struct {
	vivifiedv1.UnimplementedOperatorServer
	calls chan *vivifiedv1.InvokeRequest
	proof chan metadata.MD
}

// answer is what it says to a call, however that came.
func (s *speaker) answer(ctx context.Context, in *vivifiedv1.InvokeRequest, body string) (*vivifiedv1.InvokeResponse, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	s.calls <- in
	s.proof <- md
	if in.Path == "/none" {
		return nil, status.Error(codes.NotFound, "There is no such profile.")
	}
	return &vivifiedv1.InvokeResponse{
		Status: 201, Headers: []*vivifiedv1.Header{{Name: "content-type", Values: []string{"text/plain"}}, {Name: "content-length", Values: []string{"99"}}}, Body: []byte("heard " + body),
	}, nil
}

type wholeSpeaker struct{ *speaker }

func (s wholeSpeaker) Invoke(ctx context.Context, in *vivifiedv1.InvokeRequest) (*vivifiedv1.InvokeResponse, error) {
	return s.answer(ctx, in, fmt.Sprintf("%x", sha256.Sum256(in.Body)))
}

type streamSpeaker struct{ *speaker }

func (s streamSpeaker) InvokeStream(stream grpc.BidiStreamingServer[vivifiedv1.InvokeStreamRequest, vivifiedv1.InvokeStreamResponse]) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	sum := sha256.New()
	sum.Write(first.GetCall().GetBody())
	for {
		part, err := stream.Recv()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		sum.Write(part.GetBody())
	}
	head, err := s.answer(stream.Context(), first.GetCall(), "")
	if err != nil {
		return err
	}
	head.Body = nil
	if err := stream.Send(&vivifiedv1.InvokeStreamResponse{Part: &vivifiedv1.InvokeStreamResponse_Answer{Answer: head}}); err != nil {
		return err
	}
	for _, piece := range []string{"heard ", fmt.Sprintf("%x", sum.Sum(nil))} {
		if err := stream.Send(&vivifiedv1.InvokeStreamResponse{Part: &vivifiedv1.InvokeStreamResponse_Body{Body: []byte(piece)}}); err != nil {
			return err
		}
	}
	return nil
}

// speaks starts a plugin and returns its address.
func speaks(t *testing.T, impl vivifiedv1.OperatorServer) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(grpc.MaxRecvMsgSize(32 << 20))
	vivifiedv1.RegisterOperatorServer(s, impl)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	return "http://" + l.Addr().String()
}

// profilesAt is a plugin that answers at an address.
func profilesAt(address string) pluginmgr.Target {
	return pluginmgr.Target{Plugin: "profiles", Address: address, GRPC: true, Operation: "one"}
}

// TestCallsByGRPC: a plugin that streams and one that does not get the same call,
// with its proof as metadata, and their answers are the same.
func TestCallsByGRPC(t *testing.T) {
	for name, impl := range map[string]func(*speaker) vivifiedv1.OperatorServer{
		"streaming": func(s *speaker) vivifiedv1.OperatorServer { return streamSpeaker{s} },
		"whole":     func(s *speaker) vivifiedv1.OperatorServer { return wholeSpeaker{s} },
	} {
		t.Run(name, func(t *testing.T) {
			s := &speaker{calls: make(chan *vivifiedv1.InvokeRequest, 10), proof: make(chan metadata.MD, 10)}
			address := speaks(t, impl(s))
			rt := lifeRuntime(t, []netip.Prefix{lifeLoopback})
			for _, body := range []string{"", "tea", strings.Repeat("long ", 100_000)} {
				r, err := http.NewRequest(http.MethodPut, "http://profiles/profiles/a%20b?full=1", strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				r.Header = http.Header{"Authorization": {"Bearer t"}, "X-Vivified-Caller": {"clerk"}, "Traceparent": {"00-a"}, "Accept": {"text/plain"}, "Content-Type": {"text/plain"}}
				answer, err := rt.Call(t.Context(), profilesAt(address), r)
				if err != nil {
					t.Fatal(err)
				}
				said, err := io.ReadAll(answer.Body)
				answer.Body.Close()
				if want := fmt.Sprintf("heard %x", sha256.Sum256([]byte(body))); err != nil || answer.StatusCode != 201 || string(said) != want || answer.Header.Get("Content-Type") != "text/plain" || answer.Header.Get("Content-Length") != "" {
					t.Errorf("answered %d %v %.80q (%v), want %q", answer.StatusCode, answer.Header, said, err, want)
				}
				in, md := <-s.calls, <-s.proof
				if in.Target != "profiles" || in.Operation != "one" || in.Method != "PUT" || in.Path != "/profiles/a%20b" || in.Query != "full=1" || in.ContentType != "text/plain" {
					t.Errorf("it was called with %v", in)
				}
				if len(in.Headers) != 1 || in.Headers[0].Name != "accept" {
					t.Errorf("the headers of the call are %v", in.Headers)
				}
				for name, want := range map[string]string{"authorization": "Bearer t", "x-vivified-caller": "clerk", "traceparent": "00-a"} {
					if got := md.Get(name); len(got) != 1 || got[0] != want {
						t.Errorf("the proof has %s: %v, want %q", name, got, want)
					}
				}
			}
		})
	}
}

// TestWhatAPluginRefusesByGRPC is an answer; what never reached it is none.
func TestWhatAPluginRefusesByGRPC(t *testing.T) {
	s := &speaker{calls: make(chan *vivifiedv1.InvokeRequest, 10), proof: make(chan metadata.MD, 10)}
	address := speaks(t, streamSpeaker{s})
	rt := lifeRuntime(t, []netip.Prefix{lifeLoopback})
	get := func(rt *external.Runtime, address, path string) (*http.Response, error) {
		r, err := http.NewRequest(http.MethodGet, "http://profiles"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		return rt.Call(t.Context(), profilesAt(address), r)
	}
	answer, err := get(rt, address, "/none")
	if err != nil {
		t.Fatal(err)
	}
	said, _ := io.ReadAll(answer.Body)
	answer.Body.Close()
	if answer.StatusCode != 404 || !strings.Contains(string(said), "no such profile") {
		t.Errorf("answered %d %s", answer.StatusCode, said)
	}
	if _, err := get(lifeRuntime(t, nil), address, "/profiles"); fault.Of(err).Code != "target.address" {
		t.Errorf("an address outside the plugins' networks: %v", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	_, err = get(lifeRuntime(t, []netip.Prefix{lifeLoopback}), "http://"+l.Addr().String(), "/profiles")
	if _, broken := errors.AsType[*net.OpError](err); !broken {
		t.Errorf("nobody there: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, _ := http.NewRequest(http.MethodGet, "http://profiles/profiles", nil)
	if _, err := rt.Call(ctx, profilesAt(address), r); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that left: %v", err)
	}
}
