package views_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/vivified/vivified/views"
)

func TestPrefsSurviveTheirCookie(t *testing.T) {
	for _, p := range []views.Prefs{
		{},
		{Theme: "dark"},
		{Theme: "light", Density: "roomy", Zone: "Europe/Berlin", NoKeys: true, Narrow: true},
	} {
		if got := views.ReadPrefs(p.Cookie()); got != p {
			t.Errorf("%q is read as %+v, want %+v", p.Cookie(), got, p)
		}
		if strings.ContainsAny(p.Cookie(), " \",;\\") {
			t.Errorf("%q does not fit a cookie (RFC 6265, section 4.1.1)", p.Cookie())
		}
	}
}

func TestUnknownPrefsAreDropped(t *testing.T) {
	for _, cookie := range []string{"theme=blue", "density=huge", "zone=Nowhere/Land", "zone=Local", "zone=UTC", "zone=../../etc/passwd", "keys=maybe", "%zz", ";;;", strings.Repeat("theme=", 1000)} {
		if got := views.ReadPrefs(cookie); got != (views.Prefs{}) {
			t.Errorf("%q is read as %+v", cookie, got)
		}
	}
}

func FuzzReadPrefs(f *testing.F) {
	f.Add("theme=dark&zone=Europe%2FBerlin&keys=off")
	f.Add("%zz")
	f.Fuzz(func(t *testing.T, cookie string) {
		p := views.ReadPrefs(cookie)
		if again := views.ReadPrefs(p.Cookie()); again != p {
			t.Errorf("%+v comes back as %+v", p, again)
		}
		p.Location()
	})
}

func TestPrefsOfForms(t *testing.T) {
	start := views.Prefs{Theme: "dark", Zone: "Europe/Berlin", NoKeys: true, Narrow: true}
	for _, row := range []struct {
		name, form string
		want       views.Prefs
	}{
		{"the theme menu changes the theme alone", "theme=light", views.Prefs{Theme: "light", Zone: "Europe/Berlin", NoKeys: true, Narrow: true}},
		{"the system's theme is no theme", "theme=", views.Prefs{Zone: "Europe/Berlin", NoKeys: true, Narrow: true}},
		{"the zone switch goes back to UTC", "zone=UTC", views.Prefs{Theme: "dark", NoKeys: true, Narrow: true}},
		{"a wrong zone is UTC", "zone=Mars", views.Prefs{Theme: "dark", NoKeys: true, Narrow: true}},
		{"the account page sends all", "all=1&theme=dark&density=compact&zone=Asia/Tokyo&keys=on", views.Prefs{Theme: "dark", Density: "compact", Zone: "Asia/Tokyo", Narrow: true}},
		{"a switch that is off sends nothing", "all=1&theme=dark&density=&zone=", views.Prefs{Theme: "dark", NoKeys: true, Narrow: true}},
	} {
		form, err := url.ParseQuery(row.form)
		if err != nil {
			t.Fatal(err)
		}
		if got := start.With(form); got != row.want {
			t.Errorf("%s: %+v, want %+v", row.name, got, row.want)
		}
	}
}

func TestTimes(t *testing.T) {
	at := time.Date(2026, 3, 17, 23, 21, 40, 117e6, time.UTC)
	berlin := views.Prefs{Zone: "Europe/Berlin"}
	for _, row := range []struct {
		name  string
		at    time.Time
		form  views.TimeForm
		prefs views.Prefs
		want  string
	}{
		{"another day of the year", at, views.Clock, views.Prefs{}, ">17 Mar 23:21:40<"},
		{"the day is the reader's", at, views.Clock, berlin, ">18 Mar 00:21:40<"},
		{"today", now, views.Clock, views.Prefs{}, ">12:34:56<"},
		{"today to the millisecond", now, views.Precise, berlin, ">13:34:56.789<"},
		{"along an axis", now, views.Minute, views.Prefs{}, ">12:34<"},
		{"another year", at.AddDate(-1, 0, 0), views.Clock, views.Prefs{}, ">17 Mar 2025 23:21:40<"},
		{"a day", at, views.Day, views.Prefs{}, ">17 March 2026<"},
		{"in full", at, views.Full, berlin, ">18 March 2026, 00:21:40<"},
		{"kept in UTC", at, views.Clock, berlin, `datetime="2026-03-17T23:21:40.117Z"`},
		{"never", time.Time{}, views.Clock, views.Prefs{}, ">–<"},
	} {
		if got := draw(t, views.Time(row.at, row.form), row.prefs); !strings.Contains(got, row.want) {
			t.Errorf("%s: %s lacks %s", row.name, got, row.want)
		}
	}
}

func TestAges(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0 s", 0: "0 s", 4 * time.Second: "4 s", 59 * time.Second: "59 s", 10 * time.Minute: "10 min", 2 * time.Hour: "2 h",
		134 * time.Minute: "2 h 14 min", 24 * time.Hour: "1 day", 80 * time.Hour: "3 days",
	} {
		if got := draw(t, views.Age(ago(d)), views.Prefs{}); !strings.Contains(got, ">"+want+"<") {
			t.Errorf("%v is written %s, want %s", d, got, want)
		}
	}
}
