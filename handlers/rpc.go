package handlers

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/labstack/echo/v4"
	"google.golang.org/grpc"

	vivifiedv1 "github.com/vivified/vivified/contract/vivified/v1"
	"github.com/vivified/vivified/core/fault"
)

// gRPC comes in on the same port as all else, over HTTP/2, and each method is a
// line of the route table: so it passes the same middleware, credentials travel in
// the same headers, and nothing is answered that a plain request would not be.

// rpcMethods returns the gRPC server behind the routes of gRPC methods.
func (s *Server) rpcMethods(most int) *grpc.Server {
	g := grpc.NewServer(
		grpc.MaxRecvMsgSize(most), grpc.MaxSendMsgSize(most), grpc.MaxHeaderListSize(32<<10),
		grpc.UnaryInterceptor(func(ctx context.Context, in any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (out any, err error) {
			defer s.recoverRPC(ctx, info.FullMethod, &err)
			out, err = handle(ctx, in)
			return out, rpcError(ctx, err)
		}),
		grpc.StreamInterceptor(func(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) (err error) {
			defer s.recoverRPC(stream.Context(), info.FullMethod, &err)
			return rpcError(stream.Context(), handle(srv, stream))
		}),
	)
	vivifiedv1.RegisterOperatorServer(g, rpcOperator{Server: s})
	vivifiedv1.RegisterEventsServer(g, rpcEvents{Server: s})
	return g
}

// recoverRPC turns a panic into an answer: methods run beside the goroutine of
// their request, where the recoverer does not reach.
func (s *Server) recoverRPC(ctx context.Context, method string, err *error) {
	if r := recover(); r != nil {
		s.Log.ErrorContext(ctx, "panic", "method", method, "value", fmt.Sprint(r), "stack", string(debug.Stack()))
		*err = rpcError(ctx, fault.New(fault.Internal, "internal", "The core failed to answer; the log has the reason under this trace id."))
	}
}

// isRPC reports whether r speaks gRPC, so that it can be answered so.
func isRPC(r *http.Request) bool {
	kind := r.Header.Get("Content-Type")
	return r.ProtoMajor == 2 && (kind == "application/grpc" || strings.HasPrefix(kind, "application/grpc+") || strings.HasPrefix(kind, "application/grpc;"))
}

// rpc handles every gRPC method.
func (s *Server) rpc(c echo.Context) error {
	if !isRPC(c.Request()) {
		return fault.New(fault.Invalid, "request.grpc", "This address speaks gRPC: HTTP/2 and Content-Type: application/grpc.")
	}
	s.methods.ServeHTTP(rpcWriter{c.Response(), piecesOf(c)}, c.Request())
	return nil
}

// rpcWriter gives each piece of an answer its time, as other long answers have.
type rpcWriter struct {
	*echo.Response
	out pieces
}

// Write implements io.Writer.
func (w rpcWriter) Write(p []byte) (int, error) { return w.out.Write(p) }

// Flush implements http.Flusher.
func (w rpcWriter) Flush() {
	w.WriteHeader(http.StatusOK)
	_ = w.out.flush()
}

// WriteHeader writes the header once; gRPC says it again with each status.
func (w rpcWriter) WriteHeader(status int) {
	if !w.Committed {
		w.Response.WriteHeader(status)
	}
}
