package main

import (
	"bytes"
	"context"
	"crypto/tls"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net"
	"net/http"
	"time"
)

//go:embed greetings.json
var greetingsText []byte

// greeting is how one language greets.
type greeting struct {
	Language string `json:"-"`
	Name     string `json:"name"`  // of the language, in itself
	Words    string `json:"words"` // the greeting
	Right    bool   `json:"rtl"`   // written from right to left
}

var page = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="{{.Language}}"{{if .Right}} dir="rtl"{{end}}>
<meta charset="utf-8">
<title>{{.Name}}</title>
<p>{{.Words}}</p>
</html>
`))

// site returns the pages: GET /hello/{language}.
func site() (http.Handler, error) {
	var greetings map[string]greeting
	if err := json.Unmarshal(greetingsText, &greetings); err != nil {
		return nil, fmt.Errorf("read greetings: %w", err)
	}
	routes := http.NewServeMux()
	routes.HandleFunc("GET /hello/{language}", func(w http.ResponseWriter, r *http.Request) {
		g, known := greetings[r.PathValue("language")]
		if !known {
			http.Error(w, "Nobody here greets in that language.", http.StatusNotFound)
			return
		}
		g.Language = r.PathValue("language")
		var body bytes.Buffer
		if err := page.Execute(&body, g); err != nil {
			http.Error(w, "The page failed.", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Language", g.Language)
		w.Header().Set("Cache-Control", "max-age=60")
		// The status line is out; a failed write has nobody left to tell.
		_, _ = body.WriteTo(w)
	})
	return routes, nil
}

// servePages answers HTTPS on l until ctx ends.
func servePages(ctx context.Context, l net.Listener, certificate tls.Certificate, log *slog.Logger) error {
	handler, err := site()
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           handler,
		TLSConfig:         &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}},
		ReadHeaderTimeout: 5 * time.Second,
		WriteTimeout:      10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	defer closeWith(ctx, server)()
	if err := server.ServeTLS(l, "", ""); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve pages: %w", err)
	}
	return nil
}
