// Package operator carries one plugin's or person's call to an operation of
// another plugin.
//
// It refuses every request path that has more than one reading, every operation
// or path the target's manifest does not declare, and every call without a grant.
package operator
