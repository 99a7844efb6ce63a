package settings

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/vivified/vivified/core/fault"
)

// masterKeyFile is what the core makes in its data directory when nobody gave it a key.
const masterKeyFile = "master.key"

// maxKeyFile bounds a key file in bytes; two dozen keys fit.
const maxKeyFile = 2048

// LoadMasterKey returns the Sealer over the master key: value (VIVIFIED_MASTER_KEY)
// or the content of file (VIVIFIED_MASTER_KEY_FILE), of which at most one is set,
// else of master.key in dataDir, which is made (mode 0600) when it is missing.
//
// A key is 32 bytes in hexadecimal or base64. Several keys, separated by commas
// or white space, serve rotation: see [NewSealer]. A file that its group or
// others may read is refused, and so is anything that is not a regular file.
// All faults are Invalid and none quotes a key.
func LoadMasterKey(value, file, dataDir string) (*Sealer, error) {
	switch {
	case value != "" && file != "":
		return nil, fault.New(fault.Invalid, "master_key.twice", "VIVIFIED_MASTER_KEY and VIVIFIED_MASTER_KEY_FILE are both set; keep one of them.")
	case value != "":
		return parseMasterKeys(value, "VIVIFIED_MASTER_KEY")
	case file != "":
		return readMasterKey(file)
	}
	path := filepath.Join(dataDir, masterKeyFile)
	s, err := readMasterKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return s, err
	}
	if err := makeMasterKey(path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fault.New(fault.Invalid, "master_key.make", "The master key cannot be written to %s.", path).Because(err)
	}
	return readMasterKey(path) // perhaps another process was first: its key counts
}

// readMasterKey reads a key file after checking who may read it.
func readMasterKey(path string) (*Sealer, error) {
	unreadable := fault.New(fault.Invalid, "master_key.unreadable", "The master key file %s cannot be read.", path)
	if info, err := os.Stat(path); err != nil {
		return nil, unreadable.Because(err)
	} else if !info.Mode().IsRegular() { // before opening it: a pipe would block
		return nil, fault.New(fault.Invalid, "master_key.file", "The master key file %s is not a regular file.", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, unreadable.Because(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, unreadable.Because(err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fault.New(fault.Invalid, "master_key.mode", "The master key file %s may be read by others (mode %04o): make it the core's alone with chmod 600.", path, mode)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return nil, unreadable.Because(err)
	}
	if len(text) > maxKeyFile {
		return nil, fault.New(fault.Invalid, "master_key.file", "The master key file %s is longer than %d bytes; it holds something else.", path, maxKeyFile)
	}
	return parseMasterKeys(string(text), path)
}

// makeMasterKey writes a new random key to path, whole or not at all, and fails
// with fs.ErrExist when path exists.
func makeMasterKey(path string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o711); err != nil { // entered, not listed: the database may run as another user below it
		return err
	}
	f, err := os.CreateTemp(dir, masterKeyFile+".*") // O_EXCL, mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	key := make([]byte, KeySize)
	rand.Read(key)
	_, err = f.WriteString(hex.EncodeToString(key) + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil { // like O_EXCL: never replaces a key
		return err
	}
	return syncDir(dir)
}

// syncDir makes a new name in dir survive a power failure: what is sealed under
// a key that was lost is lost with it.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// parseMasterKeys reads one or more keys; from names the source for people.
func parseMasterKeys(text, from string) (*Sealer, error) {
	var keys [][]byte
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\r' || r == '\n' }) {
		key, ok := decodeKey(word)
		if !ok {
			return nil, fault.New(fault.Invalid, "master_key.format", "%s must hold 32 bytes in hexadecimal (64 digits) or base64; make one with: openssl rand -hex 32", from)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, fault.New(fault.Invalid, "master_key.missing", "%s holds no master key; make one with: openssl rand -hex 32", from)
	}
	return NewSealer(keys...)
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
