package db

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/vivified/vivified/core/fault"
)

// scramIterations is PostgreSQL's own count (SCRAM_SHA_256_DEFAULT_ITERATIONS).
// The password carries at least 96 random bits, so more would only cost time.
const scramIterations = 4096

// scramVerifier returns what PostgreSQL stores for a password, as RFC 5803
// writes it with the keys of RFC 5802 and 7677. Sending it instead of the
// password keeps the password out of the server's log and statistics.
func scramVerifier(password string) (string, error) {
	if err := checkPassword(password); err != nil {
		return "", err
	}
	salt := make([]byte, 16)
	rand.Read(salt) // never fails (crypto/rand)
	salted, err := pbkdf2.Key(sha256.New, password, salt, scramIterations, sha256.Size)
	if err != nil {
		return "", fmt.Errorf("derive the database password: %w", err)
	}
	key := func(label string) []byte {
		m := hmac.New(sha256.New, salted)
		m.Write([]byte(label))
		return m.Sum(nil)
	}
	stored := sha256.Sum256(key("Client Key"))
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", scramIterations, b64(salt), b64(stored[:]), b64(key("Server Key"))), nil
}

// checkPassword keeps the app role's password to characters that mean the same
// in a URL, in SQL and after SASLprep (RFC 4013).
func checkPassword(password string) error {
	const allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	if len(password) < 16 || len(password) > 256 || strings.Trim(password, allowed) != "" {
		return fault.New(fault.Invalid, "database.password", "The password of the database role %s must be 16 to 256 letters, digits, '-' and '_'.", AppRole)
	}
	return nil
}
