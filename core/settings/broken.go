package settings

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/vivified/vivified/core/fault"
)

// passing are the SQLSTATE classes of trouble that passes by itself: rolled
// back, out of resources, lock not available, operator intervention, system error.
var passing = []string{"40", "53", "55", "57", "58"}

// broken translates an error of the database: a fault passes, trouble that may
// pass is Unavailable, and what the server refuses is a defect of ours.
func broken(doing string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*fault.Fault](err); ok {
		return err
	}
	err = fmt.Errorf("%s: %w", doing, err)
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && !slices.ContainsFunc(passing, func(class string) bool { return strings.HasPrefix(pg.Code, class) }) {
		return err
	}
	f := fault.New(fault.Unavailable, "settings.unavailable", "The settings cannot be read or changed just now: the database does not answer; try again shortly.").Because(err)
	f.RetryAfter = 2 * time.Second
	return f
}
