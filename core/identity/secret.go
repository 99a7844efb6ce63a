package identity

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

// The kinds of secret, told apart by prefix so that people, secret scanners and
// the core know what they hold. What follows is 256 random bits in base64url;
// only its SHA-256 is ever stored, and every look-up is by that hash, so that
// the time it takes tells nothing of the secret.
const (
	apiKeyPrefix       = "vv_"
	sessionPrefix      = "vvs_"
	refreshPrefix      = "vvr_"
	registrationPrefix = "vvp_"
	invitationPrefix   = "vvi_"
	setupPrefix        = "vvu_"
	delegationPrefix   = "vvd_"
)

// secretLength is how long the text after the prefix is: 32 bytes in base64url.
var secretLength = base64.RawURLEncoding.EncodedLen(32)

// newSecret returns a fresh secret and the hash to store.
func newSecret(prefix string) (secret string, hash []byte) {
	var random [32]byte
	rand.Read(random[:]) // never fails: crypto/rand ends the program instead
	secret = prefix + base64.RawURLEncoding.EncodeToString(random[:])
	return secret, hashOf(secret)
}

// hashOf returns what is stored of a secret.
func hashOf(secret string) []byte {
	h := sha256.Sum256([]byte(secret))
	return h[:]
}

// isSecret reports whether s has the form of a secret with that prefix, which
// spares the database a look-up for what cannot be one.
func isSecret(prefix, s string) bool {
	rest, ok := strings.CutPrefix(s, prefix)
	return ok && len(rest) == secretLength && isBase64URL(rest)
}

// isBase64URL reports whether s consists of the letters of base64url alone. The
// decoder of the standard library skips line breaks; nothing here may.
func isBase64URL(s string) bool {
	for i := range len(s) {
		if c := s[i]; !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}
