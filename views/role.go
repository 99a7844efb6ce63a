package views

// RolePath returns the address of a role's page, or of what is below it.
func RolePath(name string, below ...string) string { return join(PathRoles+"/roles", name, below) }

// RoleDetail is one role: what it gives, who has it, and which groups carry it.
type RoleDetail struct {
	Name, Label, Text string
	Own               bool // somebody here made it; shipped otherwise
	Actions           []Action
	Facts             []KV
	Direct, Implied   []string // traits
	Groups            []KV     // that carry it, each a link
	Holders           []HolderRow
	Pager             Pager
}
