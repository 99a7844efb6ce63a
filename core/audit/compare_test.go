package audit_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// equal fails the test with the difference.
func equal[T any](t testing.TB, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("difference (- want, + got):\n%s", diff)
	}
}
