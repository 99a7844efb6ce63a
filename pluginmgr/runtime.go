package pluginmgr

import (
	"context"
	"net/http"
	"time"

	"github.com/vivified/vivified/core/registry"
)

// Runtime reaches plugins of one kind. What only some can do are interfaces of
// their own: Starter for those that run the plugin themselves.
type Runtime interface {
	// Call delivers one request, whose URL holds path and query, and returns the
	// plugin's answer. It follows no redirect and adds no credential.
	Call(ctx context.Context, p *registry.Plugin, address string, r *http.Request) (*http.Response, error)
	// Dial reaches the plugin's port, for a health check of type tcp, and hangs up.
	Dial(ctx context.Context, p *registry.Plugin, address string) error
}

// Starter is a Runtime that starts and stops its plugins.
type Starter interface {
	Start(ctx context.Context, p *registry.Plugin) error
	Stop(ctx context.Context, p *registry.Plugin, grace time.Duration) error
}
