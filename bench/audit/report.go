package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// report is the table that is printed.
type report struct{ rows [][]string }

func newReport() *report {
	return &report{rows: [][]string{{"WHAT", "MEASURED", "GOAL", "", "LIMIT OF THIS MACHINE", "OF THE LIMIT", "CPU OF EACH, CORE + DATABASE"}}}
}

// rate adds a figure of so many a second. limit is what the machine does with the
// same work where nothing of ours takes part; 0: there is none. each is what one of
// them took.
func (r *report) rate(what string, each lap, goal float64, limitOf string, limit float64) {
	got := float64(time.Second) / float64(max(each.took, 1))
	row := []string{what, perSecond(got), "", "", "", "", ""}
	if goal > 0 {
		row[2], row[3] = "≥ "+perSecond(goal), verdict(got >= goal)
	}
	if limit > 0 {
		row[4], row[5] = limitOf+" "+perSecond(limit), fmt.Sprintf("%.0f %%", 100*got/limit)
	}
	if each.own > 0 {
		row[6] = micros(each.own) + " + " + micros(each.database)
	}
	r.rows = append(r.rows, row)
}

// latency adds a figure in milliseconds: the 99th percentile counts.
func (r *report) latency(what string, p50, p99, goal time.Duration, each lap) {
	r.rows = append(r.rows, []string{what, fmt.Sprintf("%s (p50 %s)", ms(p99), ms(p50)), "≤ " + ms(goal), verdict(p99 <= goal), "", "", micros(each.own) + " + " + micros(each.database)})
}

// note adds a figure without a goal.
func (r *report) note(what, got string) {
	r.rows = append(r.rows, []string{what, got, "", "", "", "", ""})
}

func verdict(met bool) string {
	if met {
		return "met"
	}
	return "short"
}

func perSecond(n float64) string { return fmt.Sprintf("%s/s", thousands(int64(n))) }

func micros(d time.Duration) string { return fmt.Sprintf("%.1f µs", float64(d.Nanoseconds())/1000) }

func ms(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/1000) }

// thousands writes n with a comma before every third digit.
func thousands(n int64) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func (r *report) print(ctx context.Context, owner *pgxpool.Pool) error {
	var size, rows string
	var partitions int
	if err := owner.QueryRow(ctx, `SELECT pg_size_pretty(sum(pg_total_relation_size(relid))), count(*) FILTER (WHERE isleaf) FROM pg_partition_tree('audit_log')`).Scan(&size, &partitions); err != nil {
		return err
	}
	if err := owner.QueryRow(ctx, "SELECT COALESCE(sum(seq), 0)::text FROM (SELECT max(seq) AS seq FROM audit_log GROUP BY chain) c").Scan(&rows); err != nil {
		return err
	}
	load, _ := os.ReadFile("/proc/loadavg")
	fmt.Printf("%s/%s, %d processors, load %s; %s rows in %d partitions, %s\n\n", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(),
		strings.Join(strings.Fields(string(load) + " ? ? ?")[:3], " "), rows, partitions, size)
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, row := range r.rows {
		fmt.Fprintln(t, strings.TrimRight(strings.Join(row, "\t"), "\t"))
	}
	return t.Flush()
}
