package views

// Palette is the answer to a search for pages, objects and actions, already
// filtered by what the person may see and do.
type Palette struct {
	Query  string
	Groups []PaletteGroup
}

// PaletteGroup is the results of one kind.
type PaletteGroup struct {
	Label string
	Items []PaletteItem
}

// PaletteItem leads to a page, or to the question before an action.
type PaletteItem struct {
	Label  string
	Href   string
	Icon   IconName
	Note   string
	Status Status
	Danger bool
}

func (p Palette) none() bool {
	for _, g := range p.Groups {
		if len(g.Items) > 0 {
			return false
		}
	}
	return true
}
