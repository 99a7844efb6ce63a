package retention_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/vivified/vivified/core/retention"
)

// An archive goes into a bucket, is read back from there, and only then purged.
func TestArchiveInABucket(t *testing.T) {
	objects := s3mem.New()
	server := httptest.NewServer(gofakes3.New(objects).Server())
	defer server.Close()
	w := newWorld(t)
	var err error
	if w.Bucket, err = retention.NewBucket(server.URL+"/audit/kept", "", "id", "secret"); err != nil {
		t.Fatal(err)
	}
	at := w.lane(touches("1"), touches("2"), touches("3"))
	w.now = at.AddDate(0, 0, 2190)
	_, err = w.Purge(w.as())
	isFault(t, err, "retention.unwritable") // there is no such bucket yet
	w.begins(lane, 1)

	if err := objects.CreateBucket("audit"); err != nil {
		t.Fatal(err)
	}
	if done := w.purge(); done.Records != 2 || done.Archives != 1 {
		t.Fatalf("purged %+v", done)
	}
	w.begins(lane, 3)
	w.whole()
	kept, err := w.Archives(w.as())
	if err != nil || len(kept) != 1 || kept[0].Place != "s3" {
		t.Fatalf("archives %+v, %v", kept, err)
	}
	if left := w.archives(); len(left) != 0 {
		t.Errorf("left on disk: %v", left)
	}
	r, err := w.Open(w.as(), kept[0])
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	w.Bucket = nil
	_, err = w.Open(w.as(), kept[0])
	isFault(t, err, "retention.no_bucket")
}

func TestAddressesOfBuckets(t *testing.T) {
	for address, want := range map[string]string{
		"https://s3.example.org/audit":        "",
		"https://s3.example.org/audit/a/b/":   "",
		"http://127.0.0.1:9000/audit":         "",
		"http://s3.example.org/audit":         "in clear",
		"https://s3.example.org/":             "names a host and a bucket",
		"https://key:secret@s3.example.org/a": "nothing but",
		"https://s3.example.org/a?b=c":        "nothing but",
		"ftp://s3.example.org/audit":          "https://",
		"audit":                               "names a host and a bucket",
	} {
		_, err := retention.NewBucket(address, "", "id", "secret")
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", address, err, want)
		}
	}
}
