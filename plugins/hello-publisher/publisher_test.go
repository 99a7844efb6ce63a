package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestGetProfile(t *testing.T) {
	people, err := readBook(profilesText)
	if err != nil {
		t.Fatal(err)
	}
	routes := http.NewServeMux()
	routes.HandleFunc("GET /profiles/{id}", people.getProfile)
	for _, row := range []struct {
		path, want string
		status     int
	}{
		{"/profiles/ada", `{"id":"ada","language":"en","name":"Ada Lovelace","email":"ada@example.com"}`, 200},
		{"/profiles/nobody", `"code":"profile.unknown"`, 404},
	} {
		w := httptest.NewRecorder()
		routes.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", row.path, nil))
		if w.Code != row.status || !strings.Contains(w.Body.String(), row.want) {
			t.Errorf("%s answered %d %s, want %d %s", row.path, w.Code, w.Body, row.status, row.want)
		}
	}
}

func TestReadBookRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"no JSON":      `{`,
		"nobody":       `[]`,
		"an empty id":  `[{"name":"x"}]`,
		"one id twice": `[{"id":"a"},{"id":"a"}]`,
	} {
		if _, err := readBook([]byte(text)); err == nil {
			t.Errorf("%s was read", name)
		}
	}
}

func TestInterval(t *testing.T) {
	for _, row := range []struct {
		text string
		want time.Duration
		ok   bool
	}{
		{"", defaultInterval, true},
		{"250ms", 250 * time.Millisecond, true},
		{"0s", 0, false},
		{"4", 0, false},
	} {
		if got, err := interval(row.text); got != row.want || (err == nil) != row.ok {
			t.Errorf("interval(%q) = %v, %v", row.text, got, err)
		}
	}
}
