package settings_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/settings"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db"
	"github.com/vivified/vivified/db/dbtest"
)

// keyring opens the keys of a database; the core is alone with it.
func keyring(t testing.TB, d *dbtest.DB, c settings.MasterKeySource) (*settings.Keyring, error) {
	t.Helper()
	m, err := settings.LoadMasterKey(c)
	if err != nil {
		return nil, err
	}
	k, err := settings.OpenKeyring(context.Background(), db.New(d.Pool), m)
	if err == nil {
		k.Attach(d.Pool, true, nil)
	}
	return k, err
}

// keys spells master keys as the environment has them.
func keys(names ...string) string {
	words := make([]string, len(names))
	for i, n := range names {
		words[i] = hex.EncodeToString(masterKey(n))
	}
	return strings.Join(words, ",")
}

// given is a master key in the environment.
func given(names ...string) settings.MasterKeySource {
	return settings.MasterKeySource{Value: keys(names...)}
}

func TestKeyringOpens(t *testing.T) {
	d := dbtest.New(t)
	first, err := keyring(t, d, given("a"))
	if err != nil {
		t.Fatal(err)
	}
	sealed, _ := first.Sealer().Seal([]byte("secret"), nil)
	for _, row := range []struct {
		when string
		keys []string
		want string
	}{
		{"again", []string{"a"}, ""},
		{"under another key", []string{"b"}, "master_key.other"},
		{"with the new key behind the old", []string{"a", "b"}, ""},
		{"with the new key first", []string{"b", "a"}, ""},
	} {
		k, err := keyring(t, d, given(row.keys...))
		if code(err) != row.want {
			t.Errorf("%s: %v; want %q", row.when, err, row.want)
		}
		if err == nil {
			if got, err := k.Sealer().Open(sealed, nil); string(got) != "secret" || !bytes.Equal(k.Sealer().Derive("x", 32), first.Sealer().Derive("x", 32)) {
				t.Errorf("%s: opens to %q, %v, or derives another key", row.when, got, err)
			}
		}
	}
	exec(t, d.Owner, "UPDATE sealing_keys SET wrapped = set_byte(wrapped, 20, 255 - get_byte(wrapped, 20))")
	if _, err := keyring(t, d, given("a")); code(err) != "master_key.damaged" {
		t.Errorf("a changed key: %v; want master_key.damaged", err)
	}
	if _, err := d.Pool.Exec(t.Context(), "DELETE FROM sealing_keys"); err == nil {
		t.Error("the server's role may delete sealing keys")
	}
	exec(t, d.Owner, "DELETE FROM sealing_keys")
	exec(t, d.Owner, "INSERT INTO settings (scope, key, sealed, set_by) VALUES ('global', 'metrics_token', '\\x"+hex.EncodeToString(sealed)+"', 'x')")
	if _, err := keyring(t, d, given("a")); code(err) != "master_key.lost" {
		t.Errorf("sealed data without its key: %v; want master_key.lost", err)
	}
	exec(t, d.Owner, "UPDATE settings SET sealed = '\\x02'")
	if _, err := keyring(t, d, given("a")); code(err) != "master_key.version" {
		t.Errorf("data of a later version: %v; want master_key.version", err)
	}
}

// What an earlier version sealed under the master key itself stays open, through rotations.
func TestKeyringAdopts(t *testing.T) {
	d := dbtest.New(t)
	earlier := sealer(t, "a")
	sealed, _ := earlier.Seal([]byte(`"scrape-1"`), []byte("settings\x00global\x00metrics_token"))
	exec(t, d.Owner, "INSERT INTO settings (scope, key, sealed, set_by) VALUES ('global', 'metrics_token', $1, 'x')", sealed)
	if _, err := keyring(t, d, given("b")); code(err) != "master_key.lost" {
		t.Errorf("another master key: %v; want master_key.lost", err)
	}
	if _, err := keyring(t, d, given("a")); err != nil {
		t.Fatal(err)
	}
	k, err := keyring(t, d, given("b", "a"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if k, err = keyring(t, d, given("b")); err != nil {
		t.Fatal(err)
	}
	s, _ := settings.New(nil, nil)
	if err := s.Attach(t.Context(), settings.Config{Pool: d.Pool, Sealer: k.Sealer()}); err != nil || s.String(settings.MetricsToken) != "scrape-1" {
		t.Errorf("after the rotation: %v, token %q", err, s.String(settings.MetricsToken))
	}
	if !bytes.Equal(k.Sealer().Derive("postgres", 8), earlier.Derive("postgres", 8)) || k.Sealer().Digest("p", nil) != earlier.Digest("p", nil) {
		t.Error("what was derived before is derived otherwise now")
	}
}

func TestRotate(t *testing.T) {
	d := dbtest.New(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "key")
	write := func(names ...string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(keys(names...)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("a")
	from := settings.MasterKeySource{File: file}
	k, err := keyring(t, d, from)
	if err != nil {
		t.Fatal(err)
	}
	ctx := person(t.Context(), "priya", trait.Admin)
	sealed, _ := k.Sealer().Seal([]byte("before"), nil)
	digest := k.Sealer().Digest("codes", []byte("1234"))

	if _, err := k.Rotate(ctx); code(err) != "master_key.same" {
		t.Errorf("without a new key: %v; want master_key.same", err)
	}
	other, err := keyring(t, d, from) // another replica, which hears nothing but the tick
	if err != nil {
		t.Fatal(err)
	}
	write("b", "a")
	if c, err := k.Custody(ctx); err != nil || c.Unused {
		t.Errorf("before anybody read the file: %+v, %v", c, err)
	}
	c, err := k.Rotate(ctx)
	if err != nil || c.Master != id(masterKey("b")) || len(c.Keys) != 2 || c.Keys[0].Master != c.Master || !c.Keys[0].Seals || c.Unused {
		t.Fatalf("rotated to %+v, %v", c, err)
	}
	exec(t, d.Owner, "UPDATE sealing_keys SET seals_from = now() - interval '1 hour'") // the minute is over
	if err := k.Reload(ctx); err != nil {
		t.Fatal(err)
	}
	after, _ := k.Sealer().Seal([]byte("after"), nil)
	if bytes.Equal(after[:9], sealed[:9]) {
		t.Error("the new sealing key does not seal")
	}
	if err := other.Reload(ctx); err != nil {
		t.Fatalf("the other replica, which has the file: %v", err)
	}
	write("b")
	again, err := keyring(t, d, from)
	if err != nil {
		t.Fatal(err)
	}
	for who, s := range map[string]*settings.Sealer{"the replica that rotated": k.Sealer(), "the other one": other.Sealer(), "a start with the new key alone": again.Sealer()} {
		for want, box := range map[string][]byte{"before": sealed, "after": after} {
			if got, err := s.Open(box, nil); string(got) != want {
				t.Errorf("%s opens %q to %q, %v", who, want, got, err)
			}
		}
		if s.Digest("codes", []byte("1234")) != digest {
			t.Errorf("%s no longer knows a digest", who)
		}
	}
	if _, err := keyring(t, d, given("a")); code(err) != "master_key.other" {
		t.Errorf("the old key alone: %v; want master_key.other", err)
	}
	if got := column(t, d.Pool, "SELECT object || ' ' || actor_id FROM audit_log WHERE action = 'master_key.rotate'"); !slices.Equal(got, []string{"master_key/" + c.Master + " priya"}) {
		t.Errorf("audited as %v", got)
	}
}

// The file the core made itself is rotated without anybody's hand, and may be
// left in the middle.
func TestRotateOwnFile(t *testing.T) {
	d := dbtest.New(t)
	dir := t.TempDir()
	from := settings.MasterKeySource{DataDir: dir}
	path := filepath.Join(dir, "master.key")
	lines := func() []string {
		t.Helper()
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Fields(string(text))
	}
	k, err := keyring(t, d, from)
	if err != nil {
		t.Fatal(err)
	}
	sealed, _ := k.Sealer().Seal([]byte("secret"), nil)
	first := lines()
	ctx := person(t.Context(), "priya", trait.Admin)
	if _, err := k.Rotate(ctx); err != nil {
		t.Fatal(err)
	}
	second := lines()
	if len(second) != 1 || second[0] == first[0] {
		t.Errorf("the file went from %d keys to %d, changed %v", len(first), len(second), second[0] != first[0])
	}
	k.Attach(d.Pool, false, nil)
	if _, err := k.Rotate(ctx); code(err) != "master_key.shared" {
		t.Errorf("over a database that others may use: %v; want master_key.shared", err)
	}

	// Died after the file got the new key: both open, and rotating again ends it.
	third := hex.EncodeToString(masterKey("third"))
	if err := os.WriteFile(path, []byte(third+"\n"+second[0]+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if k, err = keyring(t, d, from); err != nil {
		t.Fatal(err)
	}
	if c, err := k.Custody(ctx); err != nil || !c.Unused {
		t.Errorf("in the middle: %+v, %v; want it to say so", c, err)
	}
	if _, err := k.Rotate(ctx); err != nil {
		t.Fatal(err)
	}
	if got := lines(); !slices.Equal(got, []string{third}) {
		t.Errorf("afterwards the file holds %d keys", len(got))
	}
	// Died after the database: the next start takes the old key out of the file.
	if err := os.WriteFile(path, []byte(third+"\n"+second[0]+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if k, err = keyring(t, d, from); err != nil {
		t.Fatal(err)
	}
	if got := lines(); !slices.Equal(got, []string{third}) {
		t.Errorf("after the next start the file holds %d keys", len(got))
	}
	if got, err := k.Sealer().Open(sealed, nil); string(got) != "secret" {
		t.Errorf("what the first key sealed opens to %q, %v", got, err)
	}
}

// rotating is set in the process that TestRotateKilled kills.
const rotating = "VIVIFIED_TEST_ROTATING"

// A core that is killed in the middle of rotations starts again, every time.
func TestRotateKilled(t *testing.T) {
	if dir := os.Getenv(rotating); dir != "" {
		rotateForEver(t, dir, os.Getenv("DATABASE_URL"))
		return
	}
	d := dbtest.New(t)
	dir := t.TempDir()
	from := settings.MasterKeySource{DataDir: dir}
	k, err := keyring(t, d, from)
	if err != nil {
		t.Fatal(err)
	}
	sealed, _ := k.Sealer().Seal([]byte("secret"), nil)
	killed, between := 0, 0
	for round := range 12 {
		cmd := osexec.Command(os.Args[0], "-test.run=^TestRotateKilled$")
		cmd.Env = append(os.Environ(), rotating+"="+dir, "DATABASE_URL="+d.URL)
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := out.Read(make([]byte, 8)); err != nil { // it has begun
			t.Fatalf("the process said nothing: %v", err)
		}
		time.Sleep(time.Duration(round*3) * time.Millisecond) // not to wait for anything: to hit another place
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		killed++
		if text, _ := os.ReadFile(filepath.Join(dir, "master.key")); len(strings.Fields(string(text))) > 1 {
			between++
		}
		k, err := keyring(t, d, from)
		if err != nil {
			t.Fatalf("after it was killed: %v", err)
		}
		if got, err := k.Sealer().Open(sealed, nil); string(got) != "secret" {
			t.Fatalf("after it was killed the secret opens to %q, %v", got, err)
		}
		_, err = k.Rotate(t.Context())
		if fault.Of(err).Code == "master_key.meanwhile" { // the killed process's last transaction was committed after all
			if k, err = keyring(t, d, from); err == nil {
				_, err = k.Rotate(t.Context())
			}
		}
		if err != nil {
			t.Fatalf("rotating after it was killed: %v", err)
		}
		if text, _ := os.ReadFile(filepath.Join(dir, "master.key")); len(strings.Fields(string(text))) != 1 {
			t.Error("after a whole rotation there is more than one key in the file")
		}
	}
	t.Logf("killed %d times, %d of them with two keys in the file", killed, between)
}

func rotateForEver(t *testing.T, dir, url string) {
	pool, err := db.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	m, err := settings.LoadMasterKey(settings.MasterKeySource{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	k, err := settings.OpenKeyring(t.Context(), db.New(pool), m)
	if err != nil {
		t.Fatal(err)
	}
	k.Attach(pool, true, nil)
	fmt.Println("rotating")
	for {
		if _, err := k.Rotate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// Replicas with different keys that start together: those who come second are refused.
func TestKeyringRace(t *testing.T) {
	d := dbtest.New(t)
	names := []string{"a", "b", "c", "d"}
	got := make([]string, len(names))
	var wg sync.WaitGroup
	for i, n := range names {
		wg.Go(func() {
			m, err := settings.LoadMasterKey(given(n))
			if err == nil {
				_, err = db.SetupKeyed(context.Background(), d.OwnerURL, func(ctx context.Context, q *db.Queries) (string, error) {
					_, err := settings.OpenKeyring(ctx, q, m)
					return dbtest.Password, err
				})
			}
			got[i] = code(err)
		})
	}
	wg.Wait()
	slices.Sort(got)
	if !slices.Equal(got, []string{"", "master_key.other", "master_key.other", "master_key.other"}) {
		t.Errorf("four replicas with four keys: %q; want one to pass", got)
	}
}

func TestMasterKeyCommand(t *testing.T) {
	d := dbtest.New(t)
	dir := t.TempDir()
	program := func(name, script string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	// It stands for a key management service: the key never leaves it.
	kms := program("kms", "case $2 in wrap) sed s/^/AAAA/ ;; unwrap) sed s/^AAAA// ;; esac\n")
	k, err := keyring(t, d, settings.MasterKeySource{Command: kms + " key-1"})
	if err != nil {
		t.Fatal(err)
	}
	sealed, _ := k.Sealer().Seal([]byte("secret"), nil)
	c, err := k.Rotate(t.Context())
	if err != nil || c.Master != "command" || len(c.Keys) != 2 {
		t.Fatalf("rotated to %+v, %v", c, err)
	}
	again, err := keyring(t, d, settings.MasterKeySource{Command: kms + " key-2"})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.Sealer().Open(sealed, nil); string(got) != "secret" {
		t.Errorf("opens to %q, %v", got, err)
	}
	if _, err := keyring(t, d, given("a")); code(err) != "master_key.other" {
		t.Errorf("without the command: %v; want master_key.other", err)
	}
	for name, script := range map[string]string{
		"it fails":               "echo 'access denied' >&2; exit 3",
		"it says nothing":        "true",
		"it says no base64":      "echo '***'",
		"it says another key":    "echo AAAA",
		"it says far too much":   "head -c 100000 /dev/zero | base64 -w0",
		"it complains at length": "head -c 100000 /dev/zero | base64 -w0 >&2; exit 1",
	} {
		_, err := keyring(t, d, settings.MasterKeySource{Command: program("broken", script)})
		if code(err) != "master_key.command" {
			t.Errorf("%s: %v; want master_key.command", name, err)
		}
		if err != nil && len(err.Error()) > 1000 {
			t.Errorf("%s: an error of %d bytes", name, len(err.Error()))
		}
	}

	// From a key to a command: the key unwraps, the command wraps.
	d = dbtest.New(t)
	if _, err := keyring(t, d, given("a")); err != nil {
		t.Fatal(err)
	}
	both := given("a")
	both.Command = kms + " key-1"
	if k, err = keyring(t, d, both); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := keyring(t, d, settings.MasterKeySource{Command: kms + " key-1"}); err != nil {
		t.Errorf("the command alone, after the rotation: %v", err)
	}
}
