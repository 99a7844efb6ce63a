package audit

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"time"
)

// Signer signs with the core's current Ed25519 key and says which it was.
type Signer interface {
	Sign(message []byte) (kid string, signature []byte, err error)
}

// Keys returns the public key of that id; ok is false when it is not known.
type Keys func(kid string) (key ed25519.PublicKey, ok bool)

// SignedHead is one line of the heads file: somebody who held the key saw this
// row as the last of its chain at that time.
type SignedHead struct {
	At        time.Time `json:"at"` // when it was signed
	Chain     string    `json:"chain"`
	Hash      []byte    `json:"hash"`
	Key       string    `json:"kid"`
	Seq       int64     `json:"seq"`
	Signature []byte    `json:"sig"`
}

// headContext keeps the signature of a head from passing as one of anything else.
const headContext = "vivified audit head v1\n"

// message returns what is signed: headContext and the JCS of the members at,
// chain, hash and seq.
func (h *SignedHead) message() []byte {
	b := append([]byte(headContext), `{"at":"`...)
	b = h.At.UTC().AppendFormat(b, timeLayout)
	b = appendString(append(b, `","chain":`...), h.Chain)
	b = appendBytes(append(b, `,"hash":`...), h.Hash)
	b = strconv.AppendInt(append(b, `,"seq":`...), h.Seq, 10)
	return append(b, '}')
}

// HeadWriterConfig says where signed heads are kept. Path has no default.
type HeadWriterConfig struct {
	// Path is the file that heads are appended to, one JSON object a line.
	Path string

	// Copies get the same heads for other places; they run by themselves.
	Copies []*HeadCopier

	// Every is the longest time between a row and the signed head that covers
	// it. Default: one minute, which is also the most.
	Every time.Duration

	// Now is the clock. Default: time.Now.
	Now func() time.Time

	// Told hears after each attempt to sign and keep heads how it went. Default: nobody.
	Told func(ctx context.Context, err error)

	// Log hears of failures and of a database that is older than the file.
	// Default: slog.Default.
	Log *slog.Logger
}

// HeadWriter signs the head of every chain that has grown and keeps it outside
// the database, so that the database can be held to it.
type HeadWriter struct {
	store *Store
	sign  Signer
	cfg   HeadWriterConfig
	last  map[string]int64 // chain: the seq signed last
	bad   bool             // the last attempt failed
}

// NewHeadWriter returns a HeadWriter of the chains that store sees.
func NewHeadWriter(store *Store, sign Signer, c HeadWriterConfig) *HeadWriter {
	if c.Every <= 0 || c.Every > time.Minute {
		c.Every = time.Minute
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Log = cmp.Or(c.Log, slog.Default())
	return &HeadWriter{store: store, sign: sign, cfg: c}
}

// Run signs at once, whenever the time has come, and once more when ctx ends;
// end it after the Writer, whose last rows it shall cover.
func (w *HeadWriter) Run(ctx context.Context) error {
	tick := time.NewTicker(w.cfg.Every)
	defer tick.Stop()
	for {
		err := w.Write(ctx)
		w.report(err)
		if w.cfg.Told != nil && ctx.Err() == nil {
			w.cfg.Told(ctx, err)
		}
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
			defer cancel()
			w.report(w.Write(last))
			return nil
		case <-tick.C:
		}
	}
}

// report logs a failure when it begins and when it ends.
func (w *HeadWriter) report(err error) {
	switch {
	case err != nil && !w.bad:
		w.cfg.Log.Error("audit heads cannot be signed and kept", "path", w.cfg.Path, "error", err)
	case err == nil && w.bad:
		w.cfg.Log.Info("audit heads are kept again", "path", w.cfg.Path)
	}
	w.bad = err != nil
}

// Write appends the heads that have changed since they were signed last. It is
// not safe for concurrent use with itself or Run.
func (w *HeadWriter) Write(ctx context.Context) error {
	now, err := w.store.Heads(ctx)
	if err != nil {
		return err
	}
	first := w.last == nil // of this run: nobody knows what the copies have
	if first {
		if err := w.recall(now); err != nil {
			return err
		}
	}
	var lines, copies []byte
	for _, h := range now {
		known := h.Seq == w.last[h.Chain]
		if h.Seq == 0 || known && (!first || len(w.cfg.Copies) == 0) {
			continue
		}
		line, err := w.line(h)
		if err != nil {
			return err
		}
		copies = append(copies, line...)
		if !known {
			lines = append(lines, line...)
		}
	}
	for _, c := range w.cfg.Copies {
		c.add(copies)
	}
	if len(lines) > 0 {
		if err := appendFile(w.cfg.Path, lines); err != nil {
			return err
		}
	}
	for _, h := range now {
		w.last[h.Chain] = h.Seq
	}
	return nil
}

// line returns h, signed, as a line of the file.
func (w *HeadWriter) line(h Head) ([]byte, error) {
	s := SignedHead{At: w.cfg.Now().UTC().Truncate(time.Microsecond), Chain: h.Chain, Hash: h.Hash, Seq: h.Seq}
	var err error
	if s.Key, s.Signature, err = w.sign.Sign(s.message()); err != nil {
		return nil, fmt.Errorf("sign the head of %s: %w", h.Chain, err)
	}
	line, err := json.Marshal(s)
	return append(line, '\n'), err
}

// recall learns from the file what was signed last, and says so when the
// database has less than that: then it is an older copy, or rows are gone.
func (w *HeadWriter) recall(now []Head) error {
	file, err := os.Open(w.cfg.Path)
	if errors.Is(err, os.ErrNotExist) {
		w.last = map[string]int64{}
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	last := map[string]int64{}
	if _, err := readHeads(file, func(h SignedHead) { last[h.Chain] = h.Seq }); err != nil {
		return err
	}
	seen := map[string]int64{}
	for _, h := range now {
		seen[h.Chain] = h.Seq
	}
	for chain, seq := range last {
		if seen[chain] < seq {
			w.cfg.Log.Error("audit: the database has fewer records than were signed: it was set back, or records are gone; run 'vivified audit verify'",
				"chain", chain, "signed", seq, "found", seen[chain])
		}
	}
	w.last = last
	return nil
}

// appendFile adds whole lines to a file and sees them to the disk. A line that
// a crash left half written is ended first.
func appendFile(path string, lines []byte) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if end > 0 {
		var b [1]byte
		if _, err := f.ReadAt(b[:], end-1); err != nil {
			return err
		}
		if b[0] != '\n' {
			lines = append([]byte{'\n'}, lines...)
		}
	}
	if _, err := f.Write(lines); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return f.Close()
}

// maxHeadLine bounds a line of the heads file.
const maxHeadLine = 4096

// readHeads calls each for every line that is a head and returns how many are
// none. Such a line is what a crash left, or somebody's hand: a head less, as if
// it had been taken out.
func readHeads(r io.Reader, each func(SignedHead)) (unreadable int, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, maxHeadLine), maxHeadLine)
	for lines.Scan() {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		var h SignedHead
		d := json.NewDecoder(bytes.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&h); err != nil || h.Chain == "" || h.Seq < 1 || len(h.Hash) != hashSize {
			unreadable++
			continue
		}
		each(h)
	}
	if err := lines.Err(); err != nil {
		return unreadable, fmt.Errorf("read signed heads: %w", err)
	}
	return unreadable, nil
}
