package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/vivified/vivified/core/fault"
)

// kept is what `vivified login` keeps, readable by this user only.
type kept struct {
	Server string `json:"server"`
	Token  string `json:"token"`
}

// keptPath is where it is kept: below XDG_CONFIG_HOME, or what stands for it here.
func keptPath(env map[string]string) (string, error) {
	dir := env["XDG_CONFIG_HOME"]
	if dir == "" {
		var err error
		if dir, err = os.UserConfigDir(); err != nil {
			return "", fmt.Errorf("there is no place to keep the sign-in: %w", err)
		}
	}
	return filepath.Join(dir, "vivified", "login.json"), nil
}

// readKept returns what login kept; nothing when nobody is signed in.
func readKept(env map[string]string) (kept, error) {
	path, err := keptPath(env)
	if err != nil {
		return kept{}, nil // then nothing was kept
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return kept{}, nil
	}
	var k kept
	if err != nil || json.Unmarshal(data, &k) != nil {
		return kept{}, fmt.Errorf("%s cannot be read; remove it and sign in again with `vivified login`", path)
	}
	return k, nil
}

// keep puts k in the place of what was kept, at once and for this user only.
func keep(k kept, env map[string]string) error {
	path, err := keptPath(env)
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
	f, err := os.CreateTemp(filepath.Dir(path), "login-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(append(data, '\n'))
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

func loginCommand() *cobra.Command {
	var server, email, reason string
	c := &cobra.Command{
		Use: "login", Short: "Sign in to a core and keep the credential for the other commands", Args: exactly(0),
		Example: "  vivified login --email you@example.com\n  vivified login --server https://vivified.example --email you@example.com < password-file",
		Long: "Asks for the password, or reads it as the first line of standard input, so that it stands in no history and no process list; " +
			"then for the code of a second factor, where one is set up, or reads it as the second line. " +
			"The credential is kept in the file login.json of your configuration directory.",
		RunE: func(c *cobra.Command, _ []string) error {
			env := environment()
			cl, err := connect(server, env)
			if err != nil {
				return err
			}
			if email == "" {
				return usage{errors.New("say who signs in: --email you@example.com")}
			}
			typed := newTypist(c.InOrStdin(), c.ErrOrStderr())
			secret, err := typed.ask(c.Context(), "Password")
			if err != nil {
				return err
			}
			cl.token = "" // who signs in anew is nobody yet
			var got struct {
				Token string `json:"token"`
				User  struct {
					Username string `json:"username"`
				} `json:"user"`
			}
			said := map[string]string{"email": email, "password": secret}
			if reason != "" {
				said["reason"] = reason
			}
			err = cl.do(c.Context(), http.MethodPost, "/auth/login", said, &got)
			if f, ok := errors.AsType[*fault.Fault](err); ok && f.Code == "auth.mfa_required" {
				if said["otp"], err = typed.ask(c.Context(), "Code of your authenticator app, or a recovery code"); err != nil {
					return err
				}
				err = cl.do(c.Context(), http.MethodPost, "/auth/login", said, &got)
			}
			if err != nil {
				return err
			}
			if err := keep(kept{Server: cl.server, Token: got.Token}, env); err != nil {
				return fmt.Errorf("signed in, but it cannot be kept: %w", err)
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "Signed in to %s as %s.\n", cl.server, plain(got.User.Username))
			return err
		},
	}
	serverFlag(c, &server)
	c.Flags().StringVar(&email, "email", "", "who signs in")
	c.Flags().StringVar(&reason, "reason", "", "of an account for emergencies: why nothing else will do")
	return c
}

func logoutCommand() *cobra.Command {
	return &cobra.Command{
		Use: "logout", Short: "End the kept session and forget it", Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			env := environment()
			k, err := readKept(env)
			if err != nil {
				return err
			}
			if k.Token == "" {
				_, err := fmt.Fprintln(c.OutOrStdout(), "Nobody is signed in.")
				return err
			}
			cl, err := newClient(k.Server, k.Token)
			if err != nil {
				return err
			}
			path, err := keptPath(env)
			if err != nil {
				return err
			}
			ended := cl.do(c.Context(), http.MethodPost, "/auth/logout", nil, nil)
			if err := removeIfThere(path); err != nil {
				return err
			}
			if ended != nil && !fault.Is(ended, fault.Unauthenticated) {
				return fmt.Errorf("the credential is forgotten here, but the session did not end: %w", ended)
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "Signed out of %s.\n", k.Server)
			return err
		},
	}
}
