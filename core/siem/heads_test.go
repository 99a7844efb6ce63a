package siem_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/siem"
)

// A webhook gets signed heads as they stand in the file, in one message that is signed.
func TestHeadsGoToAWebhook(t *testing.T) {
	const one, two = `{"at":"2026-11-20T10:00:00Z","chain":"change","seq":1}`, `{"at":"2026-11-20T10:00:00Z","chain":"lane/one","seq":7}`
	status := http.StatusServiceUnavailable
	var got struct {
		Type string
		Data struct{ Heads []json.RawMessage }
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(signing, "whsec_"))
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(r.Header.Get("Webhook-Id") + "." + r.Header.Get("Webhook-Timestamp") + "." + string(body)))
		if r.Header.Get("Webhook-Signature") != "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)) {
			t.Error("the signature is wrong")
		}
		if err := json.Unmarshal(body, &got); err != nil {
			t.Error(err)
		}
		w.WriteHeader(status)
	}))
	defer server.Close()
	hook, err := siem.NewHeads(server.URL+"/heads", signing)
	if err != nil {
		t.Fatal(err)
	}
	lines := []byte(one + "\n" + two + "\n")
	if err := hook.Keep(t.Context(), time.Now(), lines); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("a webhook that refuses: %v, want its status", err)
	}
	status = http.StatusNoContent
	if err := hook.Keep(t.Context(), time.Now(), lines); err != nil {
		t.Fatal(err)
	}
	if got.Type != "audit.heads" || len(got.Data.Heads) != 2 || string(got.Data.Heads[0]) != one || string(got.Data.Heads[1]) != two {
		t.Errorf("got %+v", got)
	}
}

func TestWebhooksForHeadsThatCannotBe(t *testing.T) {
	for name, c := range map[string]struct{ address, key string }{
		"in clear":      {"http://auditor.example.org/heads", signing},
		"no address":    {"auditor", signing},
		"with password": {"https://a:b@auditor.example.org/", signing},
		"without a key": {"https://auditor.example.org/", ""},
		"a short key":   {"https://auditor.example.org/", "whsec_AAAA"},
	} {
		_, err := siem.NewHeads(c.address, c.key)
		if err == nil || fault.Of(err).Code != "siem.heads" {
			t.Errorf("%s: answered %v, want %s", name, err, "siem.heads")
		}
	}
}
