package audit

import (
	"cmp"
	"crypto/ed25519"
	"fmt"
	"io"
	"slices"
	"time"
)

// witness is what a verification holds the rows against: per chain the signed
// heads by seq.
type witness struct {
	heads  map[string][]seen
	report HeadsReport
	forged *Bad
}

// seen is a head without what its signature needed.
type seen struct {
	seq  int64
	at   time.Time
	hash [hashSize]byte
}

// newWitness reads heads and checks their signatures against keys, when given.
func newWitness(r io.Reader, keys Keys) (*witness, error) {
	w := &witness{heads: map[string][]seen{}}
	if r == nil {
		return w, nil
	}
	unreadable, err := readHeads(r, func(h SignedHead) {
		w.report.Heads++
		if keys != nil {
			key, ok := keys(h.Key)
			switch {
			case !ok:
				w.report.UnknownKey++
			case len(key) != ed25519.PublicKeySize || !ed25519.Verify(key, h.message(), h.Signature):
				if w.forged == nil {
					w.forged = &Bad{Chain: h.Chain, Seq: h.Seq, Code: BadSignature,
						Sentence: fmt.Sprintf("The signature of the head of %s at %d is wrong.", h.Chain, h.Seq)}
				}
				return
			default:
				w.report.Signed++
			}
		}
		w.heads[h.Chain] = append(w.heads[h.Chain], seen{seq: h.Seq, at: h.At, hash: [hashSize]byte(h.Hash)})
	})
	w.report.Unreadable = unreadable
	for _, list := range w.heads {
		slices.SortStableFunc(list, func(a, b seen) int { return cmp.Compare(a.seq, b.seq) })
	}
	return w, err
}
