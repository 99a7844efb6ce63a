package settings

import (
	"encoding/base64"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"strings"
)

// isWebhook accepts https everywhere, and http on this machine.
func isWebhook(v any) string {
	text := v.(string)
	if text == "" {
		return ""
	}
	u, err := url.Parse(text)
	if err == nil && len(text) <= 2000 && u.Hostname() != "" && u.User == nil && u.Fragment == "" && (u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname())) {
		return ""
	}
	return "must be a URL of https without user and fragment, such as https://hooks.example.org/vivified"
}

func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// isSigningKey accepts a key as the Standard Webhooks specification writes it.
func isSigningKey(v any) string {
	text := v.(string)
	encoded, ok := strings.CutPrefix(text, "whsec_")
	key, err := base64.StdEncoding.DecodeString(encoded)
	if text == "" || ok && err == nil && len(key) >= 24 && len(key) <= 64 {
		return ""
	}
	return "must be whsec_ and the base64 of 24 to 64 random bytes"
}

func isMailbox(v any) string {
	if isAddressOfMail(v.(string)) {
		return ""
	}
	return "must be an e-mail address, such as vivified@example.org"
}

func areMailboxes(v any) string {
	list := v.([]string)
	for _, text := range list {
		if !isAddressOfMail(text) {
			return "must be a list of e-mail addresses, such as security@example.org"
		}
	}
	if len(list) > 20 {
		return "must be at most 20 e-mail addresses"
	}
	return ""
}

// isAddressOfMail accepts an address alone, without a name.
func isAddressOfMail(text string) bool {
	a, err := mail.ParseAddress(text)
	return err == nil && a.Address == text && len(text) <= 254
}

func isMailServer(v any) string {
	text := v.(string)
	if text == "" {
		return ""
	}
	host, port, err := net.SplitHostPort(text)
	if err == nil && isPort(port, 1) && (isAddr(host) || isHostName(host)) {
		return ""
	}
	return "must be a host and a port, such as mail.example.org:587"
}
