// Package market is the shelf that plugins are installed from: it keeps bundles,
// says of each what it may do, how much of a risk that is and why, who signed it,
// and whether the operator's rules let it in.
//
// It installs nothing. What the rules refuse is listed all the same, with the
// reason; nothing is hidden and nothing is skipped silently.
package market
