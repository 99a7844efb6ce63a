package canonical_test

import (
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/vivified/vivified/lanes/canonical"
)

// disk is a file system in a file. What was written to it and not synced is in the
// page cache alone: a copy of the file is what a machine finds that lost its power.
type disk struct {
	t     *testing.T
	image string
	dir   string // where it is mounted
}

// run runs a program of the system. Where it is missing, or may not do what it is
// asked, the test cannot be made here.
func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Skipf("%s %v: %v: %s", name, args, err, out)
	}
}

func newDisk(t *testing.T) *disk {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root mounts file systems")
	}
	image := filepath.Join(t.TempDir(), "disk")
	f, err := os.Create(image)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(128 << 20); err != nil {
		t.Fatal(err)
	}
	f.Close()
	run(t, "mkfs.ext4", "-q", "-F", image)
	return mounted(t, image)
}

// mounted mounts an image so that nothing is written back by itself for a while.
func mounted(t *testing.T, image string) *disk {
	t.Helper()
	d := &disk{t: t, image: image, dir: t.TempDir()}
	run(t, "mount", "-o", "loop,commit=300", image, d.dir)
	t.Cleanup(func() {
		if out, err := exec.Command("umount", "-l", d.dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	return d
}

// powerLoss returns the disk as it is found after the power went, at this moment.
func (d *disk) powerLoss() *disk {
	d.t.Helper()
	image := filepath.Join(d.t.TempDir(), "disk")
	if out, err := exec.Command("cp", "--sparse=always", d.image, image).CombinedOutput(); err != nil {
		d.t.Fatalf("copy: %v: %s", err, out)
	}
	return mounted(d.t, image)
}

// kept returns the data of the events that a bus on a directory finds there.
func kept(t *testing.T, dir, key string) map[string]bool {
	t.Helper()
	bus, err := canonical.StartBus(canonical.BusConfig{Dir: dir, Key: key, Log: slog.New(slog.DiscardHandler), Name: "after"})
	if err != nil {
		t.Fatal(err)
	}
	defer bus.Close()
	return stored(t, bus.Conn)
}

func stored(t *testing.T, conn *nats.Conn) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), "EVENTS")
	if err != nil {
		t.Logf("the stream is gone: %v", err)
		return found
	}
	info, err := stream.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for seq := info.State.FirstSeq; seq <= info.State.LastSeq && seq > 0; seq++ {
		if m, err := stream.GetMsg(t.Context(), seq); err == nil {
			found[string(m.Data)] = true
		}
	}
	return found
}

// TestAnAcceptedEventSurvivesALossOfPower: whatever was answered with a receipt is
// there after everything that was not on the disk is gone.
func TestAnAcceptedEventSurvivesALossOfPower(t *testing.T) {
	const key = "the key of the streams"
	d := newDisk(t)
	bus, err := canonical.StartBus(canonical.BusConfig{Dir: d.dir, Key: key, Log: slog.New(slog.DiscardHandler), Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorldOn(t, bus, canonical.Limits{})
	var accepted []string
	for i := range 60 {
		if _, err := w.say(t, "tea", i); err != nil {
			t.Fatal(err)
		}
		accepted = append(accepted, fmt.Sprint(i))
	}
	found := kept(t, d.powerLoss().dir, key)
	for _, data := range accepted {
		if !found[data] {
			t.Errorf("event %s was accepted and is lost", data)
		}
	}
}

// TestALossOfPowerIsOne: the same loses what a bus acknowledged that does not sync.
func TestALossOfPowerIsOne(t *testing.T) {
	d := newDisk(t)
	s, err := server.NewServer(&server.Options{DontListen: true, JetStream: true, StoreDir: filepath.Join(d.dir, "nats"), NoSigs: true, SyncInterval: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	defer func() { s.Shutdown(); s.WaitForShutdown() }()
	if !s.ReadyForConnections(time.Minute) {
		t.Fatal("the bus is not ready")
	}
	conn, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "EVENTS", Subjects: []string{"ev.>"}}); err != nil {
		t.Fatal(err)
	}
	run(t, "sync", "-f", d.dir) // the stream is there; what comes now is not
	for i := range 60 {
		if _, err := js.Publish(t.Context(), "ev.default.plain.said", []byte(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	if found := kept(t, d.powerLoss().dir, ""); len(found) == 60 {
		t.Error("nothing is lost that was only in the page cache: the test proves nothing")
	}
}
