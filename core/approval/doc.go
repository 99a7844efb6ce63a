// Package approval keeps what waits for somebody's word: hosts that plugins want
// to reach, manifests that ask for more, traits and grants that people ask for, and
// what two people have to agree on.
//
// It takes requests, lets those decide who hold the trait for it, and does what
// was approved in the same transaction as the decision and its audit row. It
// refuses what nobody gave a reason for, what was decided meanwhile, and the word
// of somebody on a request of their own; what it brings about beyond that is
// refused or done by the rooms it belongs to.
package approval
