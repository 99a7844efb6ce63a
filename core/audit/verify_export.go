package audit

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// maxLine bounds a line of an export: three JSON values of 1 MiB, all escaped.
const maxLine = 32 << 20

// VerifyExport verifies a JSONL export without the database, in constant
// memory. Where the export holds a stretch of a chain without gaps, missing
// records are named; where it holds a selection, each record is still proved by
// its own hash, and their number by the manifest. An error means that the
// export could not be read to its end.
func VerifyExport(r io.Reader, c VerifyConfig) (Report, error) {
	w, err := newWitness(c.Heads, c.Keys)
	if err != nil {
		return Report{}, err
	}
	v := &exportVerifier{witness: w, keys: c.Keys, chains: map[string]*checker{}, progress: &progress{tell: c.Progress}}
	if err := v.read(bufio.NewReaderSize(r, 64<<10)); err != nil {
		return Report{}, fmt.Errorf("verify the export: %w", err)
	}
	return v.report(), nil
}

type exportVerifier struct {
	witness  *witness
	keys     Keys
	chains   map[string]*checker
	order    []*checker
	last     *checker // of the last record read
	bad      *Bad     // the first, by line
	manifest *Manifest
	signed   bool
	sum      [sha256.Size]byte
	line     int64
	progress *progress
}

// note keeps the first bad record.
func (v *exportVerifier) note(bad *Bad) {
	if bad != nil && v.bad == nil {
		bad.Line = v.line
		v.bad = bad
	}
}

// read goes through the lines up to the end, whatever it finds on the way.
func (v *exportVerifier) read(r *bufio.Reader) error {
	sum := sha256.New()
	for {
		line, err := readLine(r)
		if err == io.EOF && len(line) == 0 {
			return nil
		}
		if err != nil && err != io.EOF {
			return err
		}
		v.line++
		switch {
		case v.manifest != nil:
			v.note(&Bad{Code: BadExport, Sentence: "Something follows the manifest, which must be the last line."})
		case bytes.HasPrefix(line, []byte(`{"manifest":`)):
			sum.Sum(v.sum[:0])
			v.readManifest(line)
		default:
			sum.Write(line)
			v.record(line)
		}
		if err == io.EOF {
			return nil
		}
	}
}

// readLine returns the next line with its end.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > maxLine {
			return nil, fmt.Errorf("a line is longer than %d bytes", maxLine)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

// record checks one line.
func (v *exportVerifier) record(line []byte) {
	var r Record
	err := json.Unmarshal(line, &r)
	if err == nil {
		// There is one form of each record. Any other, also one that reads the
		// same, is not what was written.
		var again []byte
		if again, err = r.appendLine(new(scanner), nil); err == nil && !bytes.Equal(again, line) {
			err = errNoRecord
		}
	}
	if err != nil {
		v.note(v.unreadable(line))
		return
	}
	k := v.checker(r.Chain)
	v.last = k
	if k.Bad == nil {
		v.note(k.next(&r))
	}
	v.progress.step()
}

func (v *exportVerifier) checker(chain string) *checker {
	k, ok := v.chains[chain]
	if !ok {
		k = newChecker(chain, v.witness.heads[chain])
		k.sparse = true
		v.chains[chain] = k
		v.order = append(v.order, k)
	}
	return k
}

var placePattern = regexp.MustCompile(`"(chain|seq)":(?:"([^"]*)"|(\d{1,16}))`)

// unreadable names the record of a line that is none, as well as the line tells.
func (v *exportVerifier) unreadable(line []byte) *Bad {
	chain, seq := "", int64(0)
	for _, m := range placePattern.FindAllSubmatch(line, -1) {
		if string(m[1]) == "chain" && chain == "" {
			chain = string(m[2])
		} else if string(m[1]) == "seq" && len(m[3]) > 0 {
			seq, _ = strconv.ParseInt(string(m[3]), 10, 64) // the last one counts: detail comes before it
		}
	}
	sentence := fmt.Sprintf("Line %d is not as it was written.", v.line)
	k, ok := v.chains[chain]
	if !ok {
		return &Bad{Chain: chain, Seq: seq, Code: BadEdited, Sentence: sentence}
	}
	if seq == 0 {
		seq = k.Last + 1
	}
	return k.bad(seq, BadEdited, "%s", sentence)
}

// readManifest reads the last line and checks its signature.
func (v *exportVerifier) readManifest(line []byte) {
	var m struct {
		Manifest Manifest `json:"manifest"`
	}
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	v.manifest = &m.Manifest
	err := d.Decode(&m)
	if err == nil {
		var again []byte
		if again, err = json.Marshal(m); err == nil && !bytes.Equal(append(escapeUnprintable(again), '\n'), line) {
			err = errNoRecord
		}
	}
	if err != nil {
		v.note(&Bad{Code: BadExport, Sentence: "The manifest is not as it was written."})
		return
	}
	if v.keys == nil || m.Manifest.Key == "" {
		return
	}
	key, ok := v.keys(m.Manifest.Key)
	message, err := m.Manifest.message()
	switch {
	case !ok:
	case err != nil || len(key) != ed25519.PublicKeySize || !ed25519.Verify(key, message, m.Manifest.Sig):
		v.note(&Bad{Code: BadSignature, Sentence: "The signature of the manifest is wrong."})
	default:
		v.signed = true
	}
}

// report compares what was read with the manifest.
func (v *exportVerifier) report() Report {
	if m := v.manifest; m == nil {
		v.line++
		v.note(v.cutOff())
	} else {
		v.counts(m)
		for i := range m.Purged {
			one := &m.Purged[i]
			v.note(v.checker(one.Chain).begun(one, v.keys))
		}
		if !bytes.Equal(m.SHA256, v.sum[:]) {
			v.note(&Bad{Code: BadExport, Sentence: "The records are not those the manifest was made for."})
		}
	}
	slices.SortFunc(v.order, func(a, b *checker) int { return strings.Compare(a.Chain, b.Chain) })
	r := report(v.order, v.witness)
	r.Signed = v.signed
	if v.bad != nil {
		r.Bad = v.bad
	}
	r.OK = r.Bad == nil
	return r
}

// counts finds what the manifest counts and the lines do not hold. A gap in a
// chain that had none when it was exported came before whatever else is wrong.
func (v *exportVerifier) counts(m *Manifest) {
	for _, c := range m.Chains {
		k := v.checker(c.Chain)
		whole := c.Count == c.Last-c.First+1
		var missing *Bad
		switch {
		case whole && (k.Rows == 0 || k.First > c.First) && (k.Bad == nil || k.Bad.Seq > c.First):
			missing = &Bad{Chain: c.Chain, Seq: c.First, Code: BadMissing, Sentence: fmt.Sprintf("Record %d of %s is missing.", c.First, c.Chain)}
		case whole && k.gap != nil:
			missing = k.gap
		case k.Bad != nil:
		case k.Last < c.Last && whole:
			missing = &Bad{Chain: c.Chain, Seq: k.Last + 1, Code: BadMissing, Sentence: fmt.Sprintf("Records %d to %d of %s are missing.", k.Last+1, c.Last, c.Chain)}
		case k.Rows != c.Count || k.First != c.First || k.Last != c.Last:
			missing = &Bad{Chain: c.Chain, Seq: c.Last, Code: BadMissing,
				Sentence: fmt.Sprintf("The export held %d records of %s, %d to %d; it holds %d, %d to %d.", c.Count, c.Chain, c.First, c.Last, k.Rows, k.First, k.Last)}
			if k.gap != nil {
				missing.Seq = k.gap.Seq
			}
		}
		if missing == nil {
			continue
		}
		if k.Bad == nil || missing.Seq <= k.Bad.Seq {
			k.Bad = missing
		}
		if v.bad == nil || v.bad.Chain == c.Chain && missing.Seq <= v.bad.Seq {
			missing.Line = v.lineOf(missing)
			v.bad = missing
		}
	}
}

// lineOf keeps the line of the record that showed the gap, when it is known.
func (v *exportVerifier) lineOf(missing *Bad) int64 {
	if v.bad != nil && v.bad.Chain == missing.Chain {
		return v.bad.Line
	}
	return 0
}

// cutOff is what is said of an export without a manifest.
func (v *exportVerifier) cutOff() *Bad {
	bad := &Bad{Code: BadExport, Sentence: "The export ends before its manifest: records may be missing."}
	for _, k := range v.order {
		if k.gap != nil {
			return k.gap
		}
		if k == v.last {
			bad.Chain, bad.Seq = k.Chain, k.Last+1
		}
	}
	return bad
}
