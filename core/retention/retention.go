package retention

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/vivified/vivified/core/audit"
)

// SixYears is the least for records of protected health information and of security,
// in days (45 CFR 164.316(b)(2)(i)).
const SixYears = 2190

// Keep is for how many days records are kept, by what they touch.
type Keep struct {
	PHI          int // protected health information; at least SixYears
	PII          int
	Confidential int
	Security     int // changes, refusals and sign-ins; at least SixYears
	Other        int
}

// floored returns k with nothing below what must be. A number that is none, because
// nobody said any, is SixYears.
func (k Keep) floored() Keep {
	for _, days := range []*int{&k.PHI, &k.PII, &k.Confidential, &k.Security, &k.Other} {
		if *days < 1 {
			*days = SixYears
		}
	}
	k.PHI, k.Security = max(k.PHI, SixYears), max(k.Security, SixYears)
	return k
}

// Config is what a Service needs. Fields without a default must be set.
type Config struct {
	Pool    *pgxpool.Pool
	Owner   string // connection string of the database's owner, who may become the purge role
	Store   *audit.Store
	Sign    audit.Signer
	Keys    func(context.Context) (audit.Keys, error) // the public keys archives are verified with
	Keep    func() Keep
	Folder  string           // where archives are, unless Bucket says otherwise
	Bucket  *Bucket          // where archives are put; nil: Folder
	Replica string           // holder of the lease
	Now     func() time.Time // default: time.Now
	Poll    time.Duration    // how often it is asked whether a purge is due; default one hour
	Log     *slog.Logger
}

// Service keeps holds, archives and purges. It is safe for concurrent use.
type Service struct {
	Config
	busy sync.Mutex // one purge at a time in this process; the lease sees to the others
}

// New returns a Service. Run purges.
func New(c Config) *Service {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Poll <= 0 {
		c.Poll = time.Hour
	}
	return &Service{Config: c}
}

// Kept returns for how long records are kept now.
func (s *Service) Kept() Keep { return s.Keep().floored() }
