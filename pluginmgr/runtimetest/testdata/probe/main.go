// Command probe is a plugin that does what a test asks it: it answers, writes,
// ends, uses resources, and tries to get out of where it runs.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	switch mode := strings.Join(os.Args[1:], " "); {
	case mode == "sleep":
		time.Sleep(time.Hour)
	case mode == "deaf": // to SIGTERM
		signal.Ignore(syscall.SIGTERM)
	case strings.HasPrefix(mode, "exit "):
		code, _ := strconv.Atoi(os.Args[2])
		fmt.Println("ending with", code)
		os.Exit(code)
	}
	serve()
}

// serve answers until SIGTERM.
func serve() {
	network, address := "tcp", os.Getenv("VIVIFIED_PLUGIN_LISTEN")
	if path := os.Getenv("VIVIFIED_PLUGIN_SOCKET"); path != "" {
		network, address = "unix", path
	}
	l, err := net.Listen(network, address)
	if err != nil {
		fmt.Fprintln(os.Stderr, "listen:", err)
		os.Exit(1)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", echo)
	mux.HandleFunc("/redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/echo", http.StatusFound) })
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/large", func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.ParseInt(r.FormValue("n"), 10, 64)
		_, _ = io.CopyN(w, zeros{}, n)
	})
	mux.HandleFunc("/exit", func(w http.ResponseWriter, r *http.Request) {
		code, _ := strconv.Atoi(r.FormValue("code"))
		os.Exit(code)
	})
	mux.HandleFunc("/print", func(w http.ResponseWriter, r *http.Request) {
		to := map[string]*os.File{"stdout": os.Stdout, "stderr": os.Stderr}[r.FormValue("stream")]
		n, _ := strconv.Atoi(r.FormValue("n"))
		for i := range max(n, 1) {
			fmt.Fprintln(to, strings.ReplaceAll(r.FormValue("text"), "#", strconv.Itoa(i)))
		}
	})
	mux.HandleFunc("/core", core)
	mux.HandleFunc("/try", try)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	if len(os.Args) > 1 && os.Args[1] == "deaf" {
		ctx, stop = context.WithCancel(context.Background())
	}
	defer stop()
	server := &http.Server{Handler: mux}
	go func() { _ = server.Serve(l) }()
	fmt.Println("answering")
	<-ctx.Done()
	fmt.Println("told to end")
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// echo answers what it was asked.
func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	answer(w, map[string]any{
		"method": r.Method, "uri": r.RequestURI, "host": r.Host, "header": r.Header, "body": string(body), "env": os.Environ(), "uid": os.Getuid(), "gid": os.Getgid(),
	})
}

// core asks the core for a path, as a plugin would.
func core(w http.ResponseWriter, r *http.Request) {
	t := &http.Transport{DisableKeepAlives: true}
	base := os.Getenv("VIVIFIED_CORE_URL")
	if path := os.Getenv("VIVIFIED_CORE_SOCKET"); path != "" {
		base = "http://core"
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", path)
		}
	}
	got, err := (&http.Client{Transport: t, Timeout: 5 * time.Second}).Get(base + r.FormValue("path"))
	if err != nil {
		answer(w, map[string]any{"error": err.Error()})
		return
	}
	defer got.Body.Close()
	body, _ := io.ReadAll(got.Body)
	answer(w, map[string]any{"status": got.StatusCode, "body": string(body)})
}

// try makes an attempt and answers what came of it: an empty error is success.
func try(w http.ResponseWriter, r *http.Request) {
	attempt, ok := attempts[r.FormValue("what")]
	if !ok {
		http.Error(w, "no such attempt", http.StatusNotFound)
		return
	}
	said := ""
	if err := attempt(r.FormValue("at")); err != nil {
		said = err.Error()
	}
	answer(w, map[string]any{"error": said})
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}
