package settings

import (
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/vivified/vivified/core/fault"
)

// masterKeyFile is what the core makes in its data directory when nobody gave it a key.
const masterKeyFile = "master.key"

// maxKeyFile bounds a key file in bytes; two dozen keys fit.
const maxKeyFile = 2048

// ownMasterKey reads the key file in the data directory, and makes it first where there is none.
func ownMasterKey(path string) ([]masterKey, error) {
	keys, err := readMasterKeys(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return keys, err
	}
	if err := makeMasterKey(path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, notWritten(path, err)
	}
	return readMasterKeys(path) // perhaps another process was first: its key counts
}

func notWritten(path string, err error) error {
	return fault.New(fault.Invalid, "master_key.make", "The master key cannot be written to %s.", path).Because(err)
}

// readMasterKeys reads a key file after checking who may read it.
func readMasterKeys(path string) ([]masterKey, error) {
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
	if err := os.MkdirAll(filepath.Dir(path), 0o711); err != nil { // entered, not listed: the database may run as another user below it
		return err
	}
	return writeMasterKeys(path, os.Link, newKey()) // like O_EXCL: never replaces a key
}

// writeMasterKeys writes keys to path, whole or not at all; place puts the
// finished file there. What is sealed under a key that was lost is lost with it,
// so the file survives a power failure from here on.
func writeMasterKeys(path string, place func(from, to string) error, keys ...[]byte) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, masterKeyFile+".*") // O_EXCL, mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	for _, key := range keys {
		if _, err = f.WriteString(hex.EncodeToString(key) + "\n"); err != nil {
			break
		}
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := place(f.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
