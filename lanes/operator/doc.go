// Package operator carries one plugin's or person's call to an operation of
// another plugin.
//
// It keeps the parties from each other's failures: so many calls at a time for each
// caller and each target, a time-out until an answer begins, and a circuit breaker
// for targets that fail.
//
// It refuses every request path that has more than one reading, every operation
// or path the target's manifest does not declare, every call without a grant, and
// requests and answers that break the schemas of the endpoint.
package operator
