package views

import "net/url"

// ProviderButton is a way to sign in by an identity provider.
type ProviderButton struct{ ID, Name, Icon string }

// icon is the one that was chosen, or that of keys.
func (b ProviderButton) icon() IconName { return providerIcon(b.Icon) }

// ProviderIcons are those a provider may be shown with.
var ProviderIcons = []IconName{"key-round", "building-2", "building", "fingerprint", "globe-lock", "id-card", "shield-check", "users"}

// providerIcon returns the icon of that name, or that of keys.
func providerIcon(name string) IconName {
	for _, i := range ProviderIcons {
		if string(i) == name {
			return i
		}
	}
	return ProviderIcons[0]
}

// start is where the button leads.
func (p SignIn) start(b ProviderButton) string {
	q := url.Values{}
	if p.Next != "" {
		q.Set("next", p.Next)
	}
	return with(OIDCPath(b.ID, "start"), q)
}

// NotSignedIn says why a sign-in by a provider did not work.
type NotSignedIn struct {
	Text      string
	Again     string // address to try again at
	Next      string // where to go afterwards
	Reference string // of the attempt, for whoever runs this
}

func (p NotSignedIn) again() string {
	if p.Next == "" {
		return p.Again
	}
	return with(p.Again, url.Values{"next": {p.Next}})
}

// SigningOut is shown while a browser goes on to sign out at its provider too.
type SigningOut struct{ Provider, To string }
