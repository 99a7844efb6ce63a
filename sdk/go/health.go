package vivified

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"runtime"
	"time"
)

// vitals is the health a plugin shows: in its heartbeats, and where the core asks for it.
type vitals struct {
	Status     string  `json:"status"`
	Uptime     float64 `json:"uptime"`       // seconds
	Memory     uint64  `json:"memory_usage"` // bytes taken from the system
	Goroutines int     `json:"goroutines"`
}

func (p *Plugin) vitals() vitals {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return vitals{
		Status:     "healthy",
		Uptime:     time.Since(p.born).Seconds(),
		Memory:     memory.Sys,
		Goroutines: runtime.NumGoroutine(),
	}
}

// serveHealth answers the health check of the manifest.
func (p *Plugin) serveHealth(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	// The status line is out; a failed write has nobody left to tell.
	_ = json.NewEncoder(w).Encode(p.vitals())
}

// beat sends heartbeats until ctx ends. The first goes out at once.
func (p *Plugin) beat(ctx context.Context) {
	for {
		v := p.vitals()
		body, err := json.Marshal(map[string]any{"status": v.Status, "health": v})
		if err == nil {
			_, err = p.session.do(ctx, request{method: http.MethodPost, path: "/plugins/heartbeat", body: body})
		}
		if err != nil && ctx.Err() == nil {
			p.log.WarnContext(ctx, "heartbeat not taken", "reason", err)
		}
		// A tenth of jitter keeps many plugins from beating in step.
		every := p.cfg.HeartbeatEvery
		if sleep(ctx, every-every/20+rand.N(every/10+1)) != nil {
			return
		}
	}
}
