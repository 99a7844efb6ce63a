package views

// Addresses of what is done to several people.
const (
	PathUsersBulk  = PathUsers + "/bulk"
	PathInviteMany = PathUserInvite + "/many"
)

// Report says what became of each of several.
type Report struct {
	Title  string // what was asked for
	Object string // what a row is: "Person"
	Rows   []ReportRow
	Links  string // address and one-time link on each line, shown once and never again
	Back   string
}

// ReportRow is what became of one.
type ReportRow struct {
	Name    string
	Href    string // "": it has no page
	Refused string // why; "": it was done
}

// InviteManyForm asks for a list of people to invite.
type InviteManyForm struct {
	List   Field  // Type Area
	Roles  Field  // Type Checks
	Groups *Field // nil: there are none to give
	Errors ErrorList
}

// summary counts what was done and what was refused.
func (r Report) summary() string {
	refused := 0
	for _, row := range r.Rows {
		if row.Refused != "" {
			refused++
		}
	}
	return number(int64(len(r.Rows)-refused)) + " done, " + number(int64(refused)) + " refused."
}
