package policy

// Said is what the admin rules of p say of r: the ids of those that match, and of
// those that have no value.
func Said(p *Policy, r *Request) (matched, failing []string) {
	by := p.responsible(r.Action)
	if by.admin == nil {
		return nil, nil
	}
	for _, s := range by.admin.speaks(r) {
		id := by.admin.document.rules[s.rule].ID
		if s.truth == failed {
			failing = append(failing, id)
		} else {
			matched = append(matched, id)
		}
	}
	return matched, failing
}
