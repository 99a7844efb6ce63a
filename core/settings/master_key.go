package settings

import (
	"bytes"
	"context"
	"crypto/cipher"
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// infoMaster derives from a master key what wraps sealing keys (HKDF, RFC 5869).
const infoMaster = "vivified/1/master"

// underCommand is written where the id of a master key stands when a command wraps.
const underCommand = "command"

// MasterKey wraps the sealing keys, and nothing else. It is safe for concurrent use.
type MasterKey struct {
	source  string      // for people
	path    string      // of the file; "" when it comes from elsewhere
	own     bool        // the core made the file
	command *keyCommand // wraps in place of the keys when not nil

	mu   sync.Mutex
	keys []masterKey // the first one wraps, all unwrap
}

// masterKey is one key in clear.
type masterKey struct {
	id   string // in hexadecimal
	raw  []byte
	wrap cipher.AEAD
}

// MasterKeySource says where the master key comes from. Value and File exclude
// each other; with a Command, their keys only unwrap what they wrapped before.
type MasterKeySource struct {
	Value   string // VIVIFIED_MASTER_KEY
	File    string // VIVIFIED_MASTER_KEY_FILE
	Command string // VIVIFIED_MASTER_KEY_COMMAND: a program and its arguments, separated by spaces
	DataDir string // where master.key is, and is made, when nothing else is said
}

// LoadMasterKey reads the master key from where c says, or else from master.key
// in the data directory, which is made (mode 0600) when it is missing.
//
// A key is 32 bytes in hexadecimal or base64. Several keys are separated by
// commas or white space: the first one wraps, all unwrap, which is how one
// follows another; see [Keyring.Rotate]. A file that its group or others may
// read is refused, and so is anything that is not a regular file. All faults are
// Invalid and none quotes a key.
func LoadMasterKey(c MasterKeySource) (m *MasterKey, err error) {
	m = &MasterKey{}
	if c.Command != "" {
		if m.command, err = newKeyCommand(c.Command); err != nil {
			return nil, err
		}
	}
	switch {
	case c.Value != "" && c.File != "":
		return nil, fault.New(fault.Invalid, "master_key.twice", "VIVIFIED_MASTER_KEY and VIVIFIED_MASTER_KEY_FILE are both set; keep one of them.")
	case c.Value != "":
		m.source = "VIVIFIED_MASTER_KEY"
		m.keys, err = parseMasterKeys(c.Value, m.source)
	case c.File != "":
		m.source, m.path = c.File, c.File
		m.keys, err = readMasterKeys(c.File)
	case m.command == nil:
		m.path, m.own = filepath.Join(c.DataDir, masterKeyFile), true
		m.source = m.path
		m.keys, err = ownMasterKey(m.path)
	}
	if m.command != nil {
		m.source = "the command " + m.command.argv[0]
	}
	return m, err
}

// Outside reports whether the master key comes from elsewhere than the data directory.
func (m *MasterKey) Outside() bool { return !m.own }

// first returns the id of the key that wraps.
func (m *MasterKey) first() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.keys[0].id
}

// sealed returns the bytes of the key under which an earlier version sealed what
// carries that id, or nil.
func (m *MasterKey) sealed(id []byte) []byte {
	for _, k := range m.keys {
		if bytes.Equal(derive(k.raw, infoID, kekIDSize), id) {
			return k.raw
		}
	}
	return nil
}

// wrap wraps a sealing key and says under what.
func (m *MasterKey) wrap(ctx context.Context, id, raw []byte) (master string, wrapped []byte, err error) {
	if m.command != nil {
		wrapped, err = m.command.run(ctx, "wrap", raw)
		return underCommand, wrapped, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.keys[0].id, m.keys[0].wrap.Seal(nil, nil, raw, id), nil
}

// unwrap opens a sealing key. A key that is not known may have come into the file since.
func (m *MasterKey) unwrap(ctx context.Context, row db.SealingKey) ([]byte, error) {
	other := fault.New(fault.Unavailable, "master_key.other",
		"The secrets in the database are kept by the master key %s, which this core does not have: give it back by VIVIFIED_MASTER_KEY, VIVIFIED_MASTER_KEY_FILE or %s in the data directory.", clip(row.Master), masterKeyFile)
	if row.Master == underCommand {
		if m.command == nil {
			return nil, fault.New(fault.Unavailable, "master_key.other", "The secrets in the database are kept by a command: set VIVIFIED_MASTER_KEY_COMMAND.")
		}
		return m.command.run(ctx, "unwrap", row.Wrapped)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	k := m.find(row.Master)
	if k == nil && m.path != "" {
		if keys, err := readMasterKeys(m.path); err == nil {
			m.keys = keys
		}
		k = m.find(row.Master)
	}
	if k == nil {
		return nil, other
	}
	raw, err := k.wrap.Open(nil, nil, row.Wrapped, row.ID)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "master_key.damaged", "The sealing key %x was changed in the database; restore the table sealing_keys.", row.ID)
	}
	return raw, nil
}

func (m *MasterKey) find(id string) *masterKey {
	i := slices.IndexFunc(m.keys, func(k masterKey) bool { return k.id == id })
	if i < 0 {
		return nil
	}
	return &m.keys[i]
}

// advance makes the first key another one than wraps keys now.
func (m *MasterKey) advance(keys []sealingKey, alone bool) error {
	if m.command != nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.path != "" {
		read, err := readMasterKeys(m.path)
		if err != nil {
			return err
		}
		m.keys = read
	}
	if !wrapsAll(m.keys[0].id, keys) {
		return nil // put there by the operator, or by a rotation that died
	}
	if !m.own {
		return fault.New(fault.Conflict, "master_key.same", "The first master key of %s keeps the secrets already: put a new one before it, wherever a core runs, and rotate then; make one with: openssl rand -hex 32", m.source)
	}
	if !alone {
		return fault.New(fault.Conflict, "master_key.shared", "Other cores may share this database, and each has its own copy of %s: put a new key before the one in it, wherever a core runs, and rotate then; make one with: openssl rand -hex 32", m.path)
	}
	next := [][]byte{newKey()}
	for _, k := range m.keys {
		next = append(next, k.raw)
	}
	if err := writeMasterKeys(m.path, os.Rename, next...); err != nil {
		return notWritten(m.path, err)
	}
	read, err := readMasterKeys(m.path)
	m.keys = read
	return err
}

// settle takes keys that wrap nothing any more out of the core's own file.
func (m *MasterKey) settle(keys []sealingKey) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.own || len(m.keys) == 1 || !wrapsAll(m.keys[0].id, keys) {
		return nil
	}
	if err := writeMasterKeys(m.path, os.Rename, m.keys[0].raw); err != nil {
		return notWritten(m.path, err)
	}
	m.keys = m.keys[:1]
	return nil
}

func wrapsAll(id string, keys []sealingKey) bool {
	return !slices.ContainsFunc(keys, func(k sealingKey) bool { return k.Master != id })
}

// parseMasterKeys reads one or more keys; from names the source for people.
func parseMasterKeys(text, from string) ([]masterKey, error) {
	var keys []masterKey
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\r' || r == '\n' }) {
		raw, ok := decodeKey(word)
		if !ok {
			return nil, fault.New(fault.Invalid, "master_key.format", "%s must hold 32 bytes in hexadecimal (64 digits) or base64; make one with: openssl rand -hex 32", from)
		}
		if weak(raw) {
			return nil, weakKey()
		}
		id := hex.EncodeToString(derive(raw, infoID, kekIDSize))
		if slices.ContainsFunc(keys, func(k masterKey) bool { return k.id == id }) {
			return nil, repeatedKey()
		}
		keys = append(keys, masterKey{id: id, raw: raw, wrap: aead(derive(raw, infoMaster, KeySize))})
	}
	if len(keys) == 0 {
		return nil, fault.New(fault.Invalid, "master_key.missing", "%s holds no master key; make one with: openssl rand -hex 32", from)
	}
	return keys, nil
}

// decodeKey reads one key in any of its spellings.
func decodeKey(word string) ([]byte, bool) {
	if key, err := hex.DecodeString(word); err == nil && len(key) == KeySize {
		return key, true
	}
	word = strings.TrimRight(word, "=")
	for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		if key, err := enc.Strict().DecodeString(word); err == nil && len(key) == KeySize {
			return key, true
		}
	}
	return nil, false
}
