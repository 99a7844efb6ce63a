package views_test

import (
	"strings"
	"testing"
	"time"

	"github.com/vivified/vivified/views"
)

// What is left is written to the nearest unit, so that what was given for a week a
// moment ago has a week left.
func TestLeft(t *testing.T) {
	const day = 24 * time.Hour
	for _, one := range []struct {
		left time.Duration
		want string
	}{
		{7*day - time.Second, "7 days"}, {7 * day, "7 days"}, {6*day + 11*time.Hour, "6 days"}, {day - 10*time.Second, "1 day"}, {day - time.Minute, "23 h 59 min"},
		{time.Hour - time.Second, "1 h"}, {59 * time.Minute, "59 min"}, {time.Minute - 100*time.Millisecond, "1 min"}, {30 * time.Second, "30 s"}, {0, "over"}, {-time.Hour, "over"},
	} {
		if got := draw(t, views.Left(now.Add(one.left)), views.Prefs{}); !strings.Contains(got, ">"+one.want+"<") {
			t.Errorf("%v left is drawn as %s, want %s", one.left, strings.TrimSpace(got), one.want)
		}
	}
}
