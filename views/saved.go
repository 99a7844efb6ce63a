package views

import "net/url"

// Saved are the saved views of a list.
type Saved struct {
	Views []SavedView
}

// SavedView is a list as somebody likes to see it.
type SavedView struct {
	Name   string
	Query  url.Values
	Shared bool
	By     string // who shares it; "": it is the reader's own
	Remove string // removes it; "": the reader may not
}

// ViewPath returns the address below a saved view.
func ViewPath(id string, below ...string) string { return join(PathViews, id, below) }
