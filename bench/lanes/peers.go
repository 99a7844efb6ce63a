package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// peer is something else that carries requests, running beside the core.
type peer struct {
	at   string // host:port
	pid  int    // 0: it shares this process
	stop func()
}

// absent is why a peer is left out.
type absent struct{ why string }

func (a absent) Error() string { return a.why }

// started runs a program until stop.
func started(ctx context.Context, name string, args ...string) (stop func(), pid int, err error) {
	said := &ending{}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = said, said
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 3 * time.Second
	if err := cmd.Start(); err != nil {
		return nil, 0, err
	}
	return func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		late := time.AfterFunc(3*time.Second, func() { _ = cmd.Process.Kill() })
		defer late.Stop()
		_ = cmd.Wait()
	}, cmd.Process.Pid, nil
}

// installed finds a program, also where only root looks for it.
func installed(name string) (string, error) {
	for _, at := range []string{name, "/usr/sbin/" + name, "/usr/local/sbin/" + name} {
		if path, err := exec.LookPath(at); err == nil {
			return path, nil
		}
	}
	return "", absent{name + " is not installed; `tools/setup bench` installs it on Debian"}
}

// configured writes a configuration into a folder of its own, which a peer that
// gives up root may still read and write.
func configured(name, text string) (dir string, err error) {
	if dir, err = os.MkdirTemp("", "vivified-bench-"+name+"-"); err != nil {
		return "", err
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, "conf"), []byte(strings.ReplaceAll(text, "{dir}", dir)), 0o644)
}

// nginx is nginx as a plain reverse proxy with connections kept to the target.
func nginx(ctx context.Context, target string) (*peer, error) {
	program, err := installed("nginx")
	if err != nil {
		return nil, err
	}
	at, err := freePort()
	if err != nil {
		return nil, err
	}
	dir, err := configured("nginx", `daemon off; pid {dir}/pid; error_log stderr crit; worker_processes auto; worker_rlimit_nofile 8192;
events { worker_connections 2048; }
http { access_log off; client_body_temp_path {dir}; proxy_temp_path {dir}; fastcgi_temp_path {dir}; uwsgi_temp_path {dir}; scgi_temp_path {dir};
  keepalive_requests 1000000;
  upstream target { server `+target+`; keepalive 256; keepalive_requests 1000000; }
  server { listen `+at+`; location / { proxy_pass http://target; proxy_http_version 1.1; proxy_set_header Connection ""; } } }
`)
	if err != nil {
		return nil, err
	}
	return run(ctx, dir, at, program, "-p", dir, "-e", "stderr", "-c", filepath.Join(dir, "conf"))
}

// squid is squid as a plain forward proxy that keeps nothing.
func squid(ctx context.Context) (*peer, error) {
	program, err := installed("squid")
	if err != nil {
		return nil, err
	}
	at, err := freePort()
	if err != nil {
		return nil, err
	}
	who := "proxy"
	if _, err := user.Lookup(who); err != nil || os.Getuid() != 0 {
		who = ""
	}
	text := "http_port " + at + "\nhttp_access allow all\ncache deny all\naccess_log none\ncache_log {dir}/log\npid_filename {dir}/pid\ncoredump_dir {dir}\nshutdown_lifetime 1 seconds\nworkers " +
		strconv.Itoa(1) + "\nserver_persistent_connections on\nclient_persistent_connections on\nmax_filedescriptors 8192\n"
	if who != "" {
		text += "cache_effective_user " + who + "\n"
	}
	dir, err := configured("squid", text)
	if err != nil {
		return nil, err
	}
	return run(ctx, dir, at, program, "-N", "-f", filepath.Join(dir, "conf"))
}

func run(ctx context.Context, dir, at, program string, args ...string) (*peer, error) {
	stop, pid, err := started(ctx, program, args...)
	if err != nil {
		return nil, err
	}
	return &peer{at: at, pid: pid, stop: func() { stop(); _ = os.RemoveAll(dir) }}, nil
}

// caddy is Caddy as a plain reverse proxy, built from its module when it is not
// there yet.
func caddy(ctx context.Context, program, target string) (*peer, error) {
	if _, err := os.Stat(program); err != nil {
		fmt.Fprintln(os.Stderr, "building Caddy once …")
		out, err := filepath.Abs(program)
		if err != nil {
			return nil, err
		}
		build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", out, ".")
		build.Dir = "bench/caddy"
		if text, err := build.CombinedOutput(); err != nil {
			return nil, absent{"Caddy cannot be built here: " + strings.TrimSpace(string(text))}
		}
	}
	at, err := freePort()
	if err != nil {
		return nil, err
	}
	stop, pid, err := started(ctx, program, at, target)
	if err != nil {
		return nil, err
	}
	return &peer{at: at, pid: pid, stop: stop}, nil
}

// reverseProxy is the standard library's.
func reverseProxy(target string) *peer {
	p := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: target})
	p.Transport = &http.Transport{MaxIdleConnsPerHost: 256}
	s := httptest.NewServer(p)
	return &peer{at: strings.TrimPrefix(s.URL, "http://"), stop: s.Close}
}
