package settings

import (
	"context"
	"strings"
	"time"

	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db"
)

// maxSecretsListed bounds one list of secrets.
const maxSecretsListed = 2000

// SecretPlace is where a secret is set. Its value is nowhere but where it is used.
type SecretPlace struct {
	Plugin string    `json:"plugin,omitempty"` // whose; "" the installation's
	Key    string    `json:"key"`              // of the setting, or a JSON Pointer into the plugin's settings
	SetBy  string    `json:"set_by"`
	SetAt  time.Time `json:"set_at"`
}

// Secrets returns where the database has secrets set that a person with the
// traits may know of: those of settings they may see, and all of plugins.
func (s *Settings) Secrets(ctx context.Context, who trait.Set) ([]SecretPlace, error) {
	b, err := s.attached()
	if err != nil {
		return nil, err
	}
	rows, err := db.New(b.Pool).SettingSecretList(ctx, maxSecretsListed)
	if err != nil {
		return nil, broken("list the secrets", err)
	}
	list := []SecretPlace{}
	for _, r := range rows {
		id, ofPlugin := strings.CutPrefix(r.Scope, "plugin:")
		if !ofPlugin {
			if k, ok := keyByName(r.Key); !ok || !Visible(k, who) {
				continue
			}
			id = ""
		}
		list = append(list, SecretPlace{Plugin: id, Key: r.Key, SetBy: r.SetBy, SetAt: r.SetAt.UTC()})
	}
	return list, nil
}
