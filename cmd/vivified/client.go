package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vivified/vivified/core/fault"
)

// client talks to a running core as anybody would: over HTTP, with a credential.
type client struct {
	server string
	token  string
	http   http.Client
}

// kept is what `vivified login` keeps, readable by this user only.
type kept struct {
	Server string `json:"server"`
	Token  string `json:"token"`
}

func keptPath() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "vivified", "login.json"), nil
}

// connect finds the core and the credential: flags, then the environment, then
// what login kept.
func connect(server string, env map[string]string) (*client, error) {
	c := &client{server: server, token: env["VIVIFIED_TOKEN"], http: http.Client{Timeout: time.Minute}}
	var k kept
	if path, err := keptPath(); err == nil {
		if data, err := os.ReadFile(path); err == nil {
			if err := json.Unmarshal(data, &k); err != nil {
				return nil, fmt.Errorf("%s cannot be read; sign in again with `vivified login`", path)
			}
		}
	}
	for _, s := range []string{env["VIVIFIED_SERVER"], k.Server, env["VIVIFIED_PUBLIC_URL"], "http://127.0.0.1:8080"} {
		if c.server == "" {
			c.server = s
		}
	}
	c.server = strings.TrimSuffix(c.server, "/")
	// A kept token goes only where it came from.
	if c.token == "" && k.Server == c.server {
		c.token = k.Token
	}
	return c, nil
}

// do sends a JSON request and reads the JSON answer into out.
func (c *client) do(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(data)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.server+path, body)
	if err != nil {
		return usage{err}
	}
	r.Header.Set("Accept", "application/json")
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return fmt.Errorf("no core answers at %s; is it running? (%w)", c.server, err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(io.LimitReader(answer.Body, 64<<20))
	if err != nil {
		return err
	}
	if answer.StatusCode >= 400 {
		return refused(answer.StatusCode, data)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(data, out)
}

// refused reads a problem document.
func refused(status int, data []byte) error {
	var p struct {
		Detail   string            `json:"detail"`
		Code     string            `json:"code"`
		Decision string            `json:"decision_id"`
		Errors   []fault.Violation `json:"errors"`
	}
	if json.Unmarshal(data, &p) != nil || p.Detail == "" {
		return fmt.Errorf("the core answered %d", status)
	}
	kind := fault.Invalid
	switch status {
	case http.StatusUnauthorized:
		kind = fault.Unauthenticated
		p.Detail += " Sign in with `vivified login`, or set VIVIFIED_TOKEN."
	case http.StatusForbidden:
		kind = fault.Denied
		if p.Decision != "" {
			p.Detail += " Decision " + p.Decision + " says why."
		}
	}
	f := fault.New(kind, p.Code, "%s", p.Detail)
	f.Violations = p.Errors
	return f
}

func loginCommand() *cobra.Command {
	var server, email string
	c := &cobra.Command{
		Use: "login", Short: "Sign in to a core and keep the credential for the other commands", Args: exactly(0),
		Long: "Reads the password from standard input, so that it stands in no history and no process list.",
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := connect(server, environment())
			if err != nil {
				return err
			}
			if email == "" {
				return usage{errors.New("say who signs in: --email you@example.com")}
			}
			fmt.Fprint(c.ErrOrStderr(), "Password: ")
			line, err := bufio.NewReader(io.LimitReader(c.InOrStdin(), 4096)).ReadString('\n')
			if err != nil && line == "" {
				return usage{errors.New("no password was given on standard input")}
			}
			cl.token = ""
			var got struct {
				Token string `json:"token"`
				User  struct {
					Username string `json:"username"`
				} `json:"user"`
			}
			if err := cl.do(c.Context(), http.MethodPost, "/auth/login", map[string]string{"email": email, "password": strings.TrimRight(line, "\r\n")}, &got); err != nil {
				return err
			}
			if err := keep(kept{Server: cl.server, Token: got.Token}); err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "Signed in to %s as %s.\n", cl.server, got.User.Username)
			return nil
		},
	}
	c.Flags().StringVar(&server, "server", "", "address of the core (VIVIFIED_SERVER; default http://127.0.0.1:8080)")
	c.Flags().StringVar(&email, "email", "", "who signs in")
	return c
}

func keep(k kept) error {
	path, err := keptPath()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	data, err := json.Marshal(k)
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o600)
}

func logoutCommand() *cobra.Command {
	return &cobra.Command{
		Use: "logout", Short: "End the kept session", Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := connect("", environment())
			if err != nil {
				return err
			}
			if cl.token != "" {
				if err := cl.do(c.Context(), http.MethodPost, "/auth/logout", nil, nil); err != nil && !fault.Is(err, fault.Unauthenticated) {
					return err
				}
			}
			path, err := keptPath()
			if err != nil {
				return err
			}
			return removeIfThere(path)
		},
	}
}
