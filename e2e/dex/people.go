package main

import (
	"context"
	"crypto/subtle"
	"log/slog"

	"github.com/dexidp/dex/connector"
)

// person is somebody who may sign in at the provider.
type person struct {
	ID       string   `json:"id"`
	Username string   `json:"username"`
	Password string   `json:"password"`
	Email    string   `json:"email"`
	Name     string   `json:"name"`
	Groups   []string `json:"groups"`
	Unproven bool     `json:"unproven"` // the address is not verified
}

// people is a connector of dex over the file: it is read at each sign-in, so that
// groups change between two of them.
type people struct{ file string }

var _ connector.PasswordConnector = (*people)(nil)

// Open implements connectors.ConnectorConfig.
func (p *people) Open(string, *slog.Logger) (connector.Connector, error) { return p, nil }

// Prompt implements connector.PasswordConnector.
func (p *people) Prompt() string { return "Username" }

// Login implements connector.PasswordConnector.
func (p *people) Login(_ context.Context, s connector.Scopes, username, password string) (connector.Identity, bool, error) {
	f, err := read(p.file)
	if err != nil {
		return connector.Identity{}, false, err
	}
	for _, one := range f.People {
		if one.Username != username || subtle.ConstantTimeCompare([]byte(one.Password), []byte(password)) != 1 {
			continue
		}
		who := connector.Identity{UserID: one.ID, Username: one.Name, PreferredUsername: one.Username, Email: one.Email, EmailVerified: !one.Unproven}
		if s.Groups {
			who.Groups = one.Groups
		}
		return who, true, nil
	}
	return connector.Identity{}, false, nil
}
