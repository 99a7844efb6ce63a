package views

// Form is a page that asks for the values of one thing. A refused attempt is
// answered with 422 and the same page, with what was typed.
type Form struct {
	Title, Text string
	Reach       []KV // whom a change touches
	Fields      []Field
	Errors      ErrorList
	Post        string // where it is sent
	Submit      string // the verb of the button
	Back        string // where Cancel leads
}
