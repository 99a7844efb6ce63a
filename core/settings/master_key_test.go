package settings_test

import (
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/vivified/vivified/core/settings"
)

// id returns the id of a master key.
func id(raw []byte) string {
	m, err := settings.LoadMasterKey(settings.MasterKeySource{Value: hex.EncodeToString(raw)})
	if err != nil {
		panic(err)
	}
	return settings.MasterKeyIDs(m)[0]
}

func TestMasterKeySpellings(t *testing.T) {
	key := masterKey("a")
	for name, text := range map[string]string{
		"hexadecimal":               hex.EncodeToString(key),
		"upper-case hexadecimal":    strings.ToUpper(hex.EncodeToString(key)),
		"base64":                    base64.StdEncoding.EncodeToString(key),
		"base64 without padding":    base64.RawStdEncoding.EncodeToString(key),
		"base64 for URLs":           base64.URLEncoding.EncodeToString(key),
		"a line end and spaces":     " " + hex.EncodeToString(key) + "\r\n",
		"behind another, by commas": hex.EncodeToString(masterKey("b")) + "," + hex.EncodeToString(key),
		"behind another, by lines":  hex.EncodeToString(masterKey("b")) + "\n" + base64.StdEncoding.EncodeToString(key) + "\n",
	} {
		m, err := settings.LoadMasterKey(settings.MasterKeySource{Value: text, DataDir: t.TempDir()})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !slices.Contains(settings.MasterKeyIDs(m), id(key)) {
			t.Errorf("%s: read as another key", name)
		}
	}
}

func TestMasterKeyRefused(t *testing.T) {
	key := hex.EncodeToString(masterKey("a"))
	dir := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name, value, file, want, command string
	}{
		{"both given", key, file("both", key, 0o600), "master_key.twice", ""},
		{"too short", key[:62], "", "master_key.format", ""},
		{"too long", key + "00", "", "master_key.format", ""},
		{"a password", "correct horse battery staple", "", "master_key.format", ""},
		{"one good and one bad", key + ",zz", "", "master_key.format", ""},
		{"only spaces", "  \n", "", "master_key.missing", ""},
		{"all zero", strings.Repeat("0", 64), "", "master_key.weak", ""},
		{"no such file", "", filepath.Join(dir, "none"), "master_key.unreadable", ""},
		{"a directory", "", dir, "master_key.file", ""},
		{"a pipe", "", pipe, "master_key.file", ""},
		{"an empty file", "", file("empty", "", 0o600), "master_key.missing", ""},
		{"a huge file", "", file("huge", strings.Repeat(key+"\n", 40), 0o600), "master_key.file", ""},
		{"readable by the group", "", file("group", key, 0o640), "master_key.mode", ""},
		{"readable by everybody", "", file("world", key, 0o604), "master_key.mode", ""},
		{"writable by the group", "", file("write", key, 0o620), "master_key.mode", ""},
		{"a command by its name", "", "", "master_key.command", "kms"},
		{"an empty command", "", "", "master_key.command", "  "},
	} {
		_, err := settings.LoadMasterKey(settings.MasterKeySource{Value: row.value, File: row.file, Command: row.command, DataDir: t.TempDir()})
		if code(err) != row.want {
			t.Errorf("%s: %v; want %s", row.name, err, row.want)
		}
		if err != nil && strings.Contains(err.Error(), key[:16]) {
			t.Errorf("%s: the error quotes the key: %v", row.name, err)
		}
	}
}

func TestMasterKeyMadeOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "var")
	first, err := settings.LoadMasterKey(settings.MasterKeySource{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("master.key has mode %04o; want 0600", info.Mode().Perm())
	}
	again, err := settings.LoadMasterKey(settings.MasterKeySource{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(settings.MasterKeyIDs(first), settings.MasterKeyIDs(again)) {
		t.Error("the second start has another key")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "master.key.*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A damaged key file is an error, never a reason to make a new key.
func TestMasterKeyNotReplaced(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "master.key")
	if err := os.WriteFile(path, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := settings.LoadMasterKey(settings.MasterKeySource{DataDir: dir}); code(err) != "master_key.format" {
		t.Errorf("a damaged master.key gave %v; want master_key.format", err)
	}
	if text, _ := os.ReadFile(path); string(text) != "damaged" {
		t.Error("the damaged key file was replaced")
	}
}

// Processes that start together in one data directory end up with one key.
func TestMasterKeyRace(t *testing.T) {
	dir := t.TempDir()
	const n = 16
	keys, errs := make([]*settings.MasterKey, n), make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { keys[i], errs[i] = settings.LoadMasterKey(settings.MasterKeySource{DataDir: dir}) })
	}
	wg.Wait()
	for i := range n {
		if errs[i] != nil {
			t.Fatal(errs[i])
		}
		if !slices.Equal(settings.MasterKeyIDs(keys[i]), settings.MasterKeyIDs(keys[0])) {
			t.Fatalf("process %d has another key than process 0", i)
		}
	}
}

func FuzzMasterKey(f *testing.F) {
	f.Add(hex.EncodeToString(masterKey("a")))
	f.Add(base64.StdEncoding.EncodeToString(masterKey("a")) + "\n" + hex.EncodeToString(masterKey("b")))
	f.Add(",")
	f.Fuzz(func(t *testing.T, text string) {
		if text == "" {
			return // means: look elsewhere
		}
		m, err := settings.LoadMasterKey(settings.MasterKeySource{Value: text})
		if err != nil {
			if c := code(err); !strings.HasPrefix(c, "master_key.") {
				t.Errorf("fault %s", c)
			}
			return
		}
		if len(settings.MasterKeyIDs(m)) == 0 {
			t.Error("no key, and no fault")
		}
	})
}
