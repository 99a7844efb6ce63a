package handlers

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	vivifiedv1 "github.com/vivified/vivified/contract/vivified/v1"
	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/lanes/operator"
)

// rpcOperator answers the operator lane's gRPC service.
type rpcOperator struct {
	vivifiedv1.UnsafeOperatorServer
	*Server
}

// Invoke implements vivifiedv1.OperatorServer.
func (o rpcOperator) Invoke(ctx context.Context, in *vivifiedv1.InvokeRequest) (*vivifiedv1.InvokeResponse, error) {
	answer, err := o.invoke(ctx, in, bytes.NewReader(in.Body), int64(len(in.Body)))
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	out := headOf(ctx, answer)
	out.Body = body
	return out, nil
}

// InvokeStream implements vivifiedv1.OperatorServer.
func (o rpcOperator) InvokeStream(stream grpc.BidiStreamingServer[vivifiedv1.InvokeStreamRequest, vivifiedv1.InvokeStreamResponse]) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	in := first.GetCall()
	if in == nil {
		return fault.New(fault.Invalid, "request.stream", "The first message of a stream has the call, the others have pieces of its body.")
	}
	// Without a body there is nothing to tell the target of: only the stream's end says which it is.
	body := &sentBody{stream: stream, rest: in.Body}
	length := int64(-1)
	if in.Method == http.MethodGet || in.Method == http.MethodHead {
		length = 0
	}
	answer, err := o.invoke(stream.Context(), in, body, length)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	part := &vivifiedv1.InvokeStreamResponse{Part: &vivifiedv1.InvokeStreamResponse_Answer{Answer: headOf(stream.Context(), answer)}}
	if err := stream.Send(part); err != nil {
		return err
	}
	piece := make([]byte, 32<<10)
	for {
		n, err := answer.Body.Read(piece)
		if n > 0 {
			if err := stream.Send(&vivifiedv1.InvokeStreamResponse{Part: &vivifiedv1.InvokeStreamResponse_Body{Body: piece[:n]}}); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// invoke makes a call of a message. Everything else is the lane's.
func (o rpcOperator) invoke(ctx context.Context, in *vivifiedv1.InvokeRequest, body io.Reader, length int64) (*operator.Answer, error) {
	to, err := operator.NewRoute(in.Target, in.Operation, in.Path, in.Query)
	if err != nil {
		return nil, err
	}
	c := operator.Call{Route: to, Method: strings.ToUpper(in.Method), Header: http.Header{}, Body: body, Length: length}
	switch {
	case c.Method == "" && length == 0:
		c.Method = http.MethodGet
	case c.Method == "":
		c.Method = http.MethodPost
	case !slices.Contains(carried, c.Method):
		return nil, fault.New(fault.NotFound, "route.method", "This address does not answer this method.")
	}
	if length != 0 {
		c.Header.Set("Content-Type", cmp.Or(in.ContentType, "application/json"))
	}
	for _, h := range in.Headers {
		c.Header[http.CanonicalHeaderKey(h.GetName())] = h.GetValues()
	}
	for name, values := range c.Header { // a message may hold what no header line could
		if !httpguts.ValidHeaderFieldName(name) || slices.ContainsFunc(values, func(v string) bool { return !httpguts.ValidHeaderFieldValue(v) }) {
			return nil, fault.New(fault.Invalid, "request.malformed", "A header of the call has a character that no header may have.")
		}
	}
	if deadline, ok := ctx.Deadline(); ok {
		// The lane's own time-out comes first, so that its refusal can be told.
		c.Timeout = max(time.Until(deadline)-50*time.Millisecond, time.Millisecond)
	}
	if md, ok := metadata.FromIncomingContext(ctx); ok {
		if tokens := md.Get("x-vivified-on-behalf-of"); len(tokens) > 0 {
			if err := o.onBehalf(ctx, tokens[0], &c); err != nil {
				return nil, err
			}
		}
	}
	return o.Calls.Call(ctx, c)
}

// headOf is an answer without its body.
func headOf(ctx context.Context, answer *operator.Answer) *vivifiedv1.InvokeResponse {
	out := &vivifiedv1.InvokeResponse{Status: int32(answer.Status), DecisionId: answer.Decision}
	to := actor.From(ctx).Kind
	for _, name := range slices.Sorted(maps.Keys(answer.Header)) {
		if mayRelay(name, to) {
			out.Headers = append(out.Headers, &vivifiedv1.Header{Name: strings.ToLower(name), Values: answer.Header[name]})
		}
	}
	return out
}

// sentBody is the body of a streamed call.
type sentBody struct {
	stream grpc.BidiStreamingServer[vivifiedv1.InvokeStreamRequest, vivifiedv1.InvokeStreamResponse]
	rest   []byte
}

// Read implements io.Reader.
func (b *sentBody) Read(p []byte) (int, error) {
	for len(b.rest) == 0 {
		part, err := b.stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return 0, io.EOF
		case err != nil:
			return 0, fault.New(fault.Invalid, "body.unreadable", "The request body ended early.").Because(err)
		case part.GetCall() != nil:
			return 0, fault.New(fault.Invalid, "request.stream", "The first message of a stream has the call, the others have pieces of its body.")
		}
		b.rest = part.GetBody()
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}
