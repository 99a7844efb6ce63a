package handlers

import (
	"strings"

	"github.com/vivified/vivified/core/identity"
)

// A browser names itself after those it descends from, so the first that fits is
// the most particular one.
var (
	browsers = [][2]string{
		{"Edg", "Edge"}, {"OPR/", "Opera"}, {"Vivaldi/", "Vivaldi"}, {"SamsungBrowser/", "Samsung Internet"}, {"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"},
		{"CriOS/", "Chrome"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"},
	}
	systems = [][2]string{
		{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"Windows", "Windows"}, {"CrOS", "ChromeOS"}, {"Mac OS X", "macOS"}, {"Linux", "Linux"},
	}
)

// device says what somebody signed in with, as far as it says so itself: enough to
// recognise one's own, and no proof of anything.
func device(s identity.Session) string {
	browser, system := firstIn(s.UserAgent, browsers), firstIn(s.UserAgent, systems)
	switch {
	case browser != "" && system != "":
		return browser + " on " + system
	case browser+system != "":
		return browser + system
	case s.UserAgent != "":
		program, _, _ := strings.Cut(s.UserAgent, " ")
		name, _, _ := strings.Cut(program, "/")
		return orElse(name, "A program")
	case s.Kind == identity.KindToken:
		return "A program"
	}
	return "An unnamed browser"
}

func firstIn(text string, known [][2]string) string {
	for _, k := range known {
		if strings.Contains(text, k[0]) {
			return k[1]
		}
	}
	return ""
}
