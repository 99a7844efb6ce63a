package views

// PluginLanes is what a plugin does on the lanes now.
type PluginLanes struct {
	Head    PluginHead
	Map     LaneMap
	Calls   []KV // how it is called: the circuit, calls in flight
	Listens []KV // how it receives events: what waits, dead letters
}
