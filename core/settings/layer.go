package settings

import "time"

// Layer is where a value comes from. A higher layer wins.
type Layer uint8

// The layers, lowest first.
const (
	Default     Layer = iota // built in
	File                     // vivified.yaml
	Environment              // VIVIFIED_…, DATABASE_URL, NATS_URL
	Database                 // what a person changed while the core runs

	layerCount int = iota
)

var layerNames = [layerCount]string{"default", "file", "environment", "database"}

// String returns the layer's name in the API.
func (l Layer) String() string { return layerNames[l] }

// MarshalText returns the layer's name.
func (l Layer) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// Origin says which layer gives a key its value, who set it there and when.
type Origin struct {
	Layer  Layer     `json:"layer"`
	SetBy  string    `json:"set_by,omitempty"` // id of the person; the variable; the line of the file
	SetAt  time.Time `json:"set_at,omitzero"`  // database only
	Reason string    `json:"reason,omitempty"` // database only
}

// Reach is the set of layers above the default that may set a key.
type Reach uint8

// The reaches.
const (
	Anywhere        Reach = iota
	BeforeDatabase        // file and environment: it is needed before there is a database
	OperatorOnly          // file and environment: it opens the machine's network or doors
	EnvironmentOnly       // it says where the file is
)

// reaches says of each reach which layers it has and, for people, why not the others.
var reaches = [...]struct {
	layers [layerCount]bool
	why    string
}{
	Anywhere:        {layers: [layerCount]bool{Default: true, File: true, Environment: true, Database: true}},
	BeforeDatabase:  {layers: [layerCount]bool{Default: true, File: true, Environment: true}, why: "it is needed before the database is open"},
	OperatorOnly:    {layers: [layerCount]bool{Default: true, File: true, Environment: true}, why: "only whoever operates this machine may decide it"},
	EnvironmentOnly: {layers: [layerCount]bool{Default: true, Environment: true}, why: "it says where the file is"},
}

// Allows reports whether layer l may set a key of this reach.
func (r Reach) Allows(l Layer) bool { return reaches[r].layers[l] }
