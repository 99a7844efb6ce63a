package views

import (
	"slices"
	"time"
)

// Watermark says over a page, faintly and on paper too, who saw protected health
// information on it, and when.
type Watermark struct {
	Name string
	At   time.Time
}

// text is what stands on the page, again and again.
func (w Watermark) text() string {
	return "PHI · " + w.Name + " · " + w.At.UTC().Format("2 Jan 2006 15:04") + " UTC"
}

// phi is the class of protected health information.
const phi Class = "phi"

// ShowsPHI reports whether a page shows protected health information, or records
// of what touched it.
func (a Audit) ShowsPHI() bool { return a.List.showsPHI() }

// ShowsPHI reports the same of a plugin's records.
func (p PluginActivity) ShowsPHI() bool { return p.List.showsPHI() }

// ShowsPHI reports the same of one record.
func (r AuditRecord) ShowsPHI() bool { return slices.Contains(r.Classes, phi) }

// ShowsPHI reports the same of an alert's records.
func (a AlertDetail) ShowsPHI() bool { return touchPHI(a.Records) }

// ShowsPHI reports whether a field of an event is shown that holds protected health
// information, or may, where nothing says which field does.
func (e Event) ShowsPHI() bool {
	shown, marked := false, false
	for _, f := range e.Fields {
		marked = marked || f.Class == phi
		if f.Redacted {
			continue
		}
		if f.Class == phi {
			return true
		}
		shown = true
	}
	return shown && !marked && slices.Contains(e.Classes, phi)
}

func (l AuditList) showsPHI() bool { return touchPHI(l.Rows) }

func touchPHI(rows []AuditRow) bool {
	return slices.ContainsFunc(rows, func(r AuditRow) bool { return slices.Contains(r.Classes, phi) })
}
