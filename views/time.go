package views

import (
	"context"
	"time"
)

// TimeForm is how a time is written. The console's script rewrites times in the
// other zone by the same forms.
type TimeForm string

// The forms.
const (
	Clock   TimeForm = "clock" // 14:21:40 today, else 17 Mar 14:21:40
	Precise TimeForm = "ms"    // the same to the millisecond
	Minute  TimeForm = "min"   // 14:21 today, else 17 Mar 14:21; along an axis
	Day     TimeForm = "day"   // 17 March 2026
	Full    TimeForm = "full"  // 17 March 2026, 14:21:40
)

// write returns t in the form, seen from the reader's zone and day.
func (f TimeForm) write(t time.Time, r Reader) string {
	zone := r.Location()
	t, now := t.In(zone), r.Now.In(zone)
	switch f {
	case Day:
		return t.Format("2 January 2006")
	case Full:
		return t.Format("2 January 2006, 15:04:05")
	}
	clock := "15:04:05"
	switch f {
	case Precise:
		clock = "15:04:05.000"
	case Minute:
		clock = "15:04"
	}
	switch {
	case t.Year() == now.Year() && t.YearDay() == now.YearDay():
		return t.Format(clock)
	case t.Year() == now.Year():
		return t.Format("2 Jan " + clock)
	default:
		return t.Format("2 Jan 2006 " + clock)
	}
}

// zoneName returns the reader's zone as an offset, or UTC.
func zoneName(ctx context.Context) string {
	r := readerOf(ctx)
	if r.Zone == "" {
		return "UTC"
	}
	return offset(r.Now.In(r.Location()))
}

// offset writes a zone's distance from UTC with a real minus sign.
func offset(t time.Time) string {
	s := t.Format("-07:00")
	if s[0] == '-' {
		return "−" + s[1:]
	}
	return s
}

// stamp returns the datetime attribute of t: RFC 3339 in UTC.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
