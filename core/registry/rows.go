package registry

import "github.com/vivified/vivified/db"

// The rows that this room hands out as they are stored, under its own names:
// rooms above it know no database.
type (
	// Given is an operator grant.
	Given = db.Grant
	// Observed is a domain that a plugin asked for.
	Observed = db.EgressObserved
	// HealthRow is one stored health sample.
	HealthRow = db.PluginHealth
)
