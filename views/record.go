package views

// open reports whether a row's detail is shown.
func (l AuditList) open(r AuditRow) bool {
	return l.Open != nil && l.Open.Chain == r.Chain && l.Open.Seq == r.Seq
}

// recordFacts are the facts of a record about the request.
func recordFacts(r AuditRecord) []KV {
	kvs := []KV{
		{Label: "Decision", Value: r.Decision, Mono: true, Copy: r.Decision != "", Href: decisionHref(r.Decision)},
		{Label: "Trace", Value: r.Trace, Mono: true, Copy: true},
		{Label: "Address", Value: r.Address, Mono: true},
		{Label: "Replica", Value: r.Replica},
	}
	if r.OnBehalf != "" {
		kvs = append(kvs, KV{Label: "On behalf of", Value: r.OnBehalf})
	}
	return kvs
}

// recordProof are the facts of a record about its place in the chain.
func recordProof(r AuditRecord) []KV {
	return []KV{
		{Label: "Chain", Value: r.Chain, Mono: true},
		{Label: "Hash", Body: StatusText(r.Intact)},
		{Label: "Previous", Value: r.Prev, Mono: true, Copy: true},
		{Label: "This record", Value: r.Hash, Mono: true, Copy: true},
	}
}

func decisionHref(id string) string {
	if id == "" {
		return ""
	}
	return DecisionPath(id)
}

// chainStatus is what a fresh verification found, else the last known state.
func chainStatus(c Chain, v *Verification) Status {
	if v != nil {
		return v.Status
	}
	return c.Status
}

func verifiedTitle(v Verification) string {
	if v.Status == Broken {
		return "The chain is broken."
	}
	return "The chain is intact."
}

// feed is the id under which a stream adds rows; "": none does.
func (l AuditList) feed() string {
	if l.Tail == "" {
		return ""
	}
	return "audit-rows"
}
