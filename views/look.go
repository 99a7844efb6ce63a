package views

import "github.com/vivified/vivified/core/trait"

// Tone colours what also says itself in an icon and a word.
type Tone string

// The tones.
const (
	Neutral Tone = "none"
	OK      Tone = "ok"
	Warn    Tone = "warn"
	Danger  Tone = "danger"
	Info    Tone = "info"
)

// Status is the state or outcome of something, in the words of the core. One
// that is not in the table is shown as it is, in a neutral tone.
type Status string

// The statuses the console draws.
const (
	Healthy     Status = "healthy"
	Degraded    Status = "degraded"
	Unhealthy   Status = "unhealthy"
	Unknown     Status = "unknown"
	Registered  Status = "registered"
	Active      Status = "active"
	Disabled    Status = "disabled"
	Quarantined Status = "quarantined"

	Allowed   Status = "allow"
	Denied    Status = "deny"
	Done      Status = "ok"
	Failed    Status = "failed"
	Delivered Status = "delivered"
	Redacted  Status = "redacted"
	Dropped   Status = "dropped"
	Waiting   Status = "waiting"
	Dead      Status = "dead"
	Replayed  Status = "replayed"
	Discarded Status = "discarded"

	Approved  Status = "approved"
	Expired   Status = "expired"
	Withdrawn Status = "withdrawn"
	Declared  Status = "declared"
	Accepted  Status = "accepted"
	Missing   Status = "missing"

	Invited   Status = "invited"
	Suspended Status = "suspended"
	Failing   Status = "failing"
	Intact    Status = "intact"
	Broken    Status = "broken"

	Open         Status = "open"
	Acknowledged Status = "acknowledged"
	Resolved     Status = "resolved"

	Running   Status = "running"
	Cancelled Status = "cancelled"
	Otherwise Status = "otherwise" // decided by another rule
)

type statusLook struct {
	tone Tone
	icon IconName
	word string
}

var statuses = map[Status]statusLook{
	Healthy:     {OK, "circle-check", "Healthy"},
	Degraded:    {Warn, "triangle-alert", "Degraded"},
	Unhealthy:   {Danger, "octagon-x", "Unhealthy"},
	Unknown:     {Neutral, "circle-dashed", "Unknown"},
	Registered:  {Info, "circle-dot", "Registered"},
	Active:      {OK, "circle-check", "Active"},
	Disabled:    {Neutral, "power-off", "Disabled"},
	Quarantined: {Danger, "octagon-minus", "Quarantined"},
	Allowed:     {OK, "circle-check", "Allowed"},
	Denied:      {Danger, "ban", "Denied"},
	Done:        {OK, "circle-check", "Done"},
	Failed:      {Warn, "triangle-alert", "Failed"},
	Delivered:   {OK, "circle-check", "Delivered"},
	Redacted:    {Info, "eye-off", "Redacted"},
	Dropped:     {Danger, "ban", "Dropped"},
	Waiting:     {Warn, "hourglass", "Waiting"},
	Dead:        {Danger, "octagon-x", "Dead letter"},
	Replayed:    {OK, "rotate-ccw", "Replayed"},
	Discarded:   {Neutral, "trash-2", "Discarded"},
	Approved:    {OK, "circle-check", "Approved"},
	Expired:     {Warn, "hourglass", "Expired"},
	Withdrawn:   {Neutral, "undo-2", "Withdrawn"},
	Declared:    {Neutral, "circle-dashed", "Declared"},
	Accepted:    {OK, "circle-check", "Accepted"},
	Missing:     {Danger, "circle-alert", "Missing"},
	Invited:     {Info, "mail", "Invited"},
	Suspended:   {Warn, "user-x", "Suspended"},
	Failing:     {Danger, "circle-alert", "Failing"},
	Intact:      {OK, "link", "Intact"},
	Broken:      {Danger, "link-2-off", "Broken"},
	Open:        {Warn, "circle-dot", "Open"},

	Acknowledged: {Info, "badge-check", "Acknowledged"},
	Resolved:     {OK, "circle-check", "Resolved"},

	Running:   {Info, "loader", "Running"},
	Cancelled: {Neutral, "x", "Cancelled"},
	Otherwise: {Neutral, "git-compare", "Decided by"},
}

func (s Status) look() statusLook {
	if l, ok := statuses[s]; ok {
		return l
	}
	if s == "" {
		s = "–"
	}
	return statusLook{Neutral, "circle-dashed", string(s)}
}

// Word returns the status as people read it.
func (s Status) Word() string { return s.look().word }

// severity orders tones, the worst first.
var severity = []Tone{Danger, Warn, Info, OK, Neutral}

// Lane is one of the three lanes.
type Lane string

// The lanes.
const (
	Canonical Lane = "canonical"
	Operator  Lane = "operator"
	Proxy     Lane = "proxy"
)

type laneLook struct {
	icon IconName
	word string
}

var lanes = map[Lane]laneLook{
	Canonical: {"radio-tower", "Canonical"},
	Operator:  {"arrow-left-right", "Operator"},
	Proxy:     {"globe", "Proxy"},
}

func (l Lane) look() laneLook {
	if look, ok := lanes[l]; ok {
		return look
	}
	return laneLook{"waypoints", string(l)}
}

// Class is a data classification by its name in manifests.
type Class string

var classWords = map[Class]string{
	"phi": "PHI", "pii": "PII", "confidential": "Confidential", "internal": "Internal", "public": "Public",
}

func (c Class) word() string {
	if w, ok := classWords[c]; ok {
		return w
	}
	return string(c)
}

// traitIcon returns the icon of a trait's row in the registry.
func traitIcon(name string) IconName {
	if t, _, ok := trait.Builtin().Lookup(name); ok {
		return IconName(t.Icon)
	}
	return "tag"
}

// traitHelp returns what a built-in trait means, in a sentence.
func traitHelp(name string) string {
	t, _, _ := trait.Builtin().Lookup(name)
	return t.Description
}
