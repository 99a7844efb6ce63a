package views

import "time"

// themes are the choices of the theme menu.
var themes = []struct {
	value, label string
	icon         IconName
}{
	{"", "System", "monitor"},
	{"light", "Light", "sun"},
	{"dark", "Dark", "moon"},
}

// generalKeys are the shortcuts that lead to no page; those come from the rail.
var generalKeys = []struct {
	keys []string
	does string
}{
	{[]string{"/"}, "Search or jump to"},
	{[]string{"⌘", "K"}, "The same; Ctrl K elsewhere"},
	{[]string{"?"}, "Show this list"},
	{[]string{"Esc"}, "Close what is open"},
}

// localOffset is the offset beside the local button.
func localOffset(r Reader) string {
	if r.Zone == "" {
		return ""
	}
	now := r.Now
	if now.IsZero() {
		now = time.Unix(0, 0)
	}
	return offset(now.In(r.Location()))
}
