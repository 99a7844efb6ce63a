package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// running is a core with a caller and a target.
type running struct {
	url     string
	caller  string // the calling plugin's token
	pid     int
	session string // an administrator's, once there is one

	registered atomic.Int64 // plugins
	stop       func()
}

// startCore starts the program and registers both plugins. The target is where both
// lanes lead, resolver where the proxy lane asks for names.
func startCore(ctx context.Context, program, target, resolver string) (*running, error) {
	program, err := filepath.Abs(program)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "vivified-bench-")
	if err != nil {
		return nil, err
	}
	address, err := freePort()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program, "serve")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.Env = append(os.Environ(), "VIVIFIED_DATA_DIR="+dir, "VIVIFIED_LISTEN="+address, "VIVIFIED_REGISTRATION=open", "VIVIFIED_AUTO_ENABLE=true",
		"VIVIFIED_LIMIT_PLUGIN_RATE=1000000", "VIVIFIED_LIMIT_PLUGIN_IN_FLIGHT=10000", "VIVIFIED_LOG_LEVEL=warn", "VIVIFIED_SETUP_TOKEN="+setupToken,
		`VIVIFIED_PLUGIN_ADDRESSES={"bench-target":"http://`+target+`","bench-caller":"http://`+target+`"}`)
	cmd.Stderr = os.Stderr
	_, port, _ := strings.Cut(target, ":")
	cmd.Env = append(cmd.Env, "VIVIFIED_DNS="+resolver, "VIVIFIED_PROXY_PRIVATE_RANGES={\""+outside+"\":[\"127.0.0.0/8\"]}",
		"VIVIFIED_EGRESS_AUTO_APPROVE=true", "VIVIFIED_EGRESS_AUTO_APPROVE_PORTS="+port)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s (make build makes it): %w", program, err)
	}
	r := &running{url: "http://" + address, pid: cmd.Process.Pid, stop: func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		_ = os.RemoveAll(dir)
	}}
	if err := r.prepare(ctx); err != nil {
		r.stop()
		return nil, err
	}
	return r, nil
}

// common is what every manifest here says alike.
const common = `"version":"1.0.0","contracts":[],
	"security":{"authentication_required":true,"data_classification":["internal"]},"compliance":{"hipaa_controls":[],"audit_level":"basic"}`

// setupToken is what the first administrator is made with.
const setupToken = "vvu_benchbenchbenchbenchbenchbenchbenchbench"

func (r *running) prepare(ctx context.Context) error {
	deadline := time.Now().Add(30 * time.Second)
	for !answers(ctx, r.url+"/health/ready") {
		if time.Now().After(deadline) {
			return fmt.Errorf("the core did not become ready within 30 s")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	if _, err := r.register(ctx, `{"id":"bench-target","name":"Target","traits":["handles_internal"],"endpoints":{"ping":{"path":"/ping","method":"GET"}},`+common+`}`); err != nil {
		return err
	}
	var err error
	r.caller, err = r.register(ctx, `{"id":"bench-caller","name":"Caller","dependencies":["bench-target"],"traits":["handles_internal","external_service"],"allowed_domains":["`+outside+`"],"events":{"publishes":["bench.happened"]},`+common+`}`)
	return err
}

// answers reports whether an address says yes.
func answers(ctx context.Context, u string) bool {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return false
	}
	got, err := http.DefaultClient.Do(q)
	if err != nil {
		return false
	}
	got.Body.Close()
	return got.StatusCode == http.StatusOK
}

// stranger is a client at the next of some addresses of loopback: the core bounds how
// many plugins register from one.
func (r *running) stranger() *http.Client {
	from := &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+r.registered.Add(1)%32))}
	return &http.Client{Transport: &http.Transport{DialContext: (&net.Dialer{LocalAddr: from}).DialContext, DisableKeepAlives: true}}
}

func (r *running) register(ctx context.Context, manifest string) (token string, err error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url+"/plugins/register", bytes.NewReader([]byte(manifest)))
	if err != nil {
		return "", err
	}
	q.Header.Set("Content-Type", "application/json")
	got, err := r.stranger().Do(q)
	if err != nil {
		return "", err
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	if err != nil {
		return "", err
	}
	var in struct {
		Token string `json:"token"`
	}
	if got.StatusCode != http.StatusOK || json.Unmarshal(body, &in) != nil {
		return "", fmt.Errorf("registering a plugin was answered %d: %s", got.StatusCode, body)
	}
	return in.Token, nil
}
