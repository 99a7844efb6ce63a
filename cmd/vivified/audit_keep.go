package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// holdsCommand steers what is not purged.
func holdsCommand() *cobra.Command {
	return parent("holds", "See, place and lift holds, which keep records from being purged",
		remote("list", "List holds", 0, nil, listHolds),
		remote("place NAME REASON", "Keep the records that fit every flag; without flags, all of them", 2, func(c *cobra.Command) func() (map[string]any, error) {
			flags := map[string]*string{}
			for _, f := range [...]struct{ name, help string }{
				{"plugin", "id of a plugin that acted or was acted upon"}, {"actor", "who acted: name, e-mail address or id"}, {"object", "what was acted upon, or its beginning and *"},
				{"class", "a data class touched"}, {"since", "first moment, as in 2026-01-31T00:00:00Z"}, {"until", "moment after the last"},
			} {
				flags[f.name] = c.Flags().String(f.name, "", f.help)
			}
			return func() (map[string]any, error) {
				in := map[string]any{}
				for name, value := range flags {
					if *value == "" {
						continue
					}
					if _, err := time.Parse(time.RFC3339, *value); err != nil && (name == "since" || name == "until") {
						return nil, usage{fmt.Errorf("--%s is a moment such as 2026-01-31T00:00:00Z", name)}
					}
					in[name] = *value
				}
				return in, nil
			}
		}, func(ctx context.Context, c call) error {
			c.in["name"], c.in["reason"] = c.args[0], c.args[1]
			return c.told(ctx, http.MethodPost, "/admin/audit/holds", c.in, "Placed.")
		}),
		remote("lift ID REASON", "End a hold", 2, nil, func(ctx context.Context, c call) error {
			return c.told(ctx, http.MethodPost, "/admin/audit/holds/"+url.PathEscape(c.args[0])+"/lift", map[string]any{"reason": c.args[1]}, "Lifted.")
		}),
	)
}

func listHolds(ctx context.Context, c call) error {
	var list struct {
		Items []struct {
			ID, Name, Reason, Plugin, Actor, Object, Class string
			Since, Until                                   *time.Time
			PlacedName                                     string     `json:"placed_name"`
			PlacedAt                                       time.Time  `json:"placed_at"`
			LiftedAt                                       *time.Time `json:"lifted_at"`
		}
	}
	if done, err := c.raw(ctx, http.MethodGet, "/admin/audit/holds", nil, &list); done || err != nil {
		return err
	}
	t := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	if len(list.Items) == 0 {
		fmt.Fprintln(t, "Nothing is held.")
	} else {
		fmt.Fprintln(t, "NAME\tKEEPS\tREASON\tPLACED\tBY\tLIFTED\tID")
	}
	for _, h := range list.Items {
		var keeps []string
		for _, p := range [...]struct{ name, value string }{{"plugin=", h.Plugin}, {"actor=", h.Actor}, {"object=", h.Object}, {"class=", h.Class}, {"since=", instant(h.Since)}, {"until=", instant(h.Until)}} {
			if p.value != "" {
				keeps = append(keeps, p.name+plain(p.value))
			}
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", plain(h.Name), cmp.Or(strings.Join(keeps, " "), "everything"), plain(h.Reason), h.PlacedAt.UTC().Format(time.RFC3339), plain(h.PlacedName), cmp.Or(instant(h.LiftedAt), "–"), h.ID)
	}
	return t.Flush()
}

// instant writes a moment, "" for none.
func instant(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// archivesCommand lists what was purged into.
func archivesCommand() *cobra.Command {
	return remote("archives", "List the archives that purged records are in", 0, nil, func(ctx context.Context, c call) error {
		var list struct {
			Items []struct {
				ID, Name, Place, Chain string
				First, Last, Records   int64
				Bytes                  int64
				VerifiedAt             time.Time  `json:"verified_at"`
				PurgedAt               *time.Time `json:"purged_at"`
			}
		}
		if done, err := c.raw(ctx, http.MethodGet, "/admin/audit/archives", nil, &list); done || err != nil {
			return err
		}
		t := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
		if len(list.Items) == 0 {
			fmt.Fprintln(t, "Nothing was archived yet.")
		} else {
			fmt.Fprintln(t, "NAME\tPLACE\tCHAIN\tRECORDS\tFIRST\tLAST\tBYTES\tVERIFIED\tPURGED\tID")
		}
		for _, a := range list.Items {
			fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\t%d\t%d\t%s\t%s\t%s\n", plain(a.Name), a.Place, plain(a.Chain), a.Records, a.First, a.Last, a.Bytes, a.VerifiedAt.UTC().Format(time.RFC3339), cmp.Or(instant(a.PurgedAt), "–"), a.ID)
		}
		return t.Flush()
	})
}

// purgeCommand purges now.
func purgeCommand() *cobra.Command {
	return remote("purge", "Archive and purge what is kept no longer, now", 0, nil, func(ctx context.Context, c call) error {
		var did struct{ Records, Archives int64 }
		if done, err := c.raw(ctx, http.MethodPost, "/admin/audit/retention/purge", nil, &did); done || err != nil {
			return err
		}
		_, err := fmt.Fprintf(c.out, "Purged %d records into %d archives.\n", did.Records, did.Archives)
		return err
	})
}
