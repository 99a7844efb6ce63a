package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"

	vivified "github.com/vivified/vivified/sdk/go"
)

//go:embed profiles.json
var profilesText []byte

// profile is a person to greet. Name and email are of class pii.
type profile struct {
	ID       string `json:"id"`
	Language string `json:"language"` // BCP 47
	Name     string `json:"name"`
	Email    string `json:"email"`
}

// book is the people the publisher knows, in order and by id.
type book struct {
	people []profile
	byID   map[string]profile
}

// readBook reads a JSON array of profiles with distinct ids.
func readBook(text []byte) (book, error) {
	b := book{byID: map[string]profile{}}
	if err := json.Unmarshal(text, &b.people); err != nil {
		return book{}, fmt.Errorf("read profiles: %w", err)
	}
	for _, p := range b.people {
		if _, twice := b.byID[p.ID]; twice || p.ID == "" {
			return book{}, fmt.Errorf("read profiles: the id %q is empty or stands twice", p.ID)
		}
		b.byID[p.ID] = p
	}
	if len(b.people) == 0 {
		return book{}, fmt.Errorf("read profiles: there is nobody to greet")
	}
	return b, nil
}

// getProfile handles GET /profiles/{id}.
func (b book) getProfile(w http.ResponseWriter, r *http.Request) {
	p, known := b.byID[r.PathValue("id")]
	if !known {
		vivified.WriteProblem(w, http.StatusNotFound, "profile.unknown", "There is no profile of that id.")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	// The status line is out; a failed write has nobody left to tell.
	_ = json.NewEncoder(w).Encode(p)
}
