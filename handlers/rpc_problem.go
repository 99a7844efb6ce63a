package handlers

import (
	"context"
	"encoding/base64"
	"errors"
	"net/url"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	vivifiedv1 "github.com/vivified/vivified/contract/vivified/v1"
	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
)

// rpcCodes gives each kind of fault its gRPC code, as google.rpc.Code explains them.
var rpcCodes = map[fault.Kind]codes.Code{
	fault.Internal:        codes.Internal,
	fault.Invalid:         codes.InvalidArgument,
	fault.Unauthenticated: codes.Unauthenticated,
	fault.Denied:          codes.PermissionDenied,
	fault.NotFound:        codes.NotFound,
	fault.Conflict:        codes.Aborted,
	fault.Gone:            codes.NotFound,
	fault.TooLarge:        codes.OutOfRange,
	fault.Unprocessable:   codes.InvalidArgument,
	fault.TooMany:         codes.ResourceExhausted,
	fault.BadGateway:      codes.Unavailable,
	fault.Unavailable:     codes.Unavailable,
	fault.Timeout:         codes.DeadlineExceeded,
}

// rpcStatus says in a google.rpc.Status what f says: our problem, its reason for
// programs that know none of ours, and when to try again.
func rpcStatus(ctx context.Context, f *fault.Fault) *status.Status {
	p := &vivifiedv1.Problem{
		Status: int32(statuses[f.Kind]), Code: f.Code, Detail: f.Sentence, DecisionId: f.Decision, TraceId: actor.Trace(ctx),
	}
	for _, v := range f.Violations {
		p.Errors = append(p.Errors, &vivifiedv1.Violation{Rule: v.Rule, Path: v.Path, Message: v.Message, Fix: v.Fix})
	}
	details := []protoadapt.MessageV1{
		protoadapt.MessageV1Of(p),
		protoadapt.MessageV1Of(&errdetails.ErrorInfo{Reason: f.Code, Domain: "vivified", Metadata: map[string]string{"decision_id": f.Decision, "trace_id": p.TraceId}}),
	}
	if f.RetryAfter > 0 {
		details = append(details, protoadapt.MessageV1Of(&errdetails.RetryInfo{RetryDelay: durationpb.New(f.RetryAfter)}))
	}
	st := status.New(rpcCodes[f.Kind], f.Sentence)
	if full, err := st.WithDetails(details...); err == nil {
		return full
	}
	return st
}

// rpcError is what a method returns for err. What already is a status stays one.
func rpcError(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if _, known := errors.AsType[*fault.Fault](err); !known {
		if _, ok := status.FromError(err); ok {
			return err
		}
	}
	return rpcStatus(ctx, faultOf(err)).Err()
}

// failRPC answers a refusal that came before the method was reached, as gRPC's
// Trailers-Only form has it.
func failRPC(c echo.Context, f *fault.Fault) {
	st := rpcStatus(c.Request().Context(), f)
	h := c.Response().Header()
	h.Set(echo.HeaderContentType, "application/grpc")
	h.Set("Grpc-Status", strconv.Itoa(int(st.Code())))
	h.Set("Grpc-Message", strings.ReplaceAll(url.QueryEscape(st.Message()), "+", "%20"))
	if details, err := proto.Marshal(st.Proto()); err == nil {
		h.Set("Grpc-Status-Details-Bin", base64.RawStdEncoding.EncodeToString(details))
	}
	c.Response().WriteHeader(200)
}
