package handlers

import (
	"context"
	"net/http"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	vivifiedv1 "github.com/vivified/vivified/contract/vivified/v1"
	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/lanes/canonical"
)

// rpcEvents answers the canonical lane's gRPC service.
type rpcEvents struct {
	vivifiedv1.UnsafeEventsServer
	*Server
}

// Publish implements vivifiedv1.EventsServer.
func (e rpcEvents) Publish(ctx context.Context, in *vivifiedv1.PublishRequest) (*vivifiedv1.PublishResponse, error) {
	p, err := canonical.NewPublication(in.Id, in.Type, in.Subject, in.Data, in.Classes)
	if err != nil {
		return nil, err
	}
	receipt, err := e.Events.Publish(ctx, p)
	if err != nil {
		return nil, err
	}
	return &vivifiedv1.PublishResponse{EventId: receipt.EventID, TraceId: actor.Trace(ctx), Duplicate: receipt.Duplicate, Waiting: receipt.Waiting}, nil
}

// Subscribe implements vivifiedv1.EventsServer.
func (e rpcEvents) Subscribe(in *vivifiedv1.SubscribeRequest, stream grpc.ServerStreamingServer[vivifiedv1.SubscribeResponse]) error {
	ctx, stop := e.whileGood(stream.Context())
	defer stop()
	how := canonical.Listening{Types: in.Types, Consumer: in.Consumer, Explicit: in.Explicit, LastID: in.LastEventId}
	return e.Events.Listen(ctx, how, func(sent *canonical.Sent) error {
		out := &vivifiedv1.SubscribeResponse{}
		if sent != nil {
			out.Event = &vivifiedv1.Event{
				Id: sent.ID, Source: sent.Source, Type: sent.Type, Subject: sent.Subject, Time: timestamppb.New(sent.Time), TraceId: sent.Trace,
				Tenant: sent.Tenant, Classes: sent.Classes.Names(), Redacted: sent.Removed, Data: sent.Data,
			}
		}
		return stream.Send(out)
	})
}

// Settle implements vivifiedv1.EventsServer.
func (e rpcEvents) Settle(ctx context.Context, in *vivifiedv1.SettleRequest) (*vivifiedv1.SettleResponse, error) {
	if err := e.Events.Ack(ctx, in.EventId, in.Consumer, in.Done, in.Reason); err != nil {
		return nil, err
	}
	return &vivifiedv1.SettleResponse{}, nil
}

// eventRPCs are the routes of the gRPC methods of the canonical lane.
func (s *Server) eventRPCs() []route {
	const post = http.MethodPost
	return []route{
		{method: post, path: vivifiedv1.Events_Publish_FullMethodName, who: plugins, action: "event.publish", handler: s.rpc, body: event, slow: true},
		{method: post, path: vivifiedv1.Events_Subscribe_FullMethodName, who: plugins, action: "event.listen", handler: s.rpc, slow: true},
		{method: post, path: vivifiedv1.Events_Settle_FullMethodName, who: plugins, action: "event.settle", handler: s.rpc, slow: true},
	}
}
