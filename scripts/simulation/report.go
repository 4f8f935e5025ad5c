package main

import (
	"fmt"
	"strings"
	"time"
)

// cost is what went over the wires, and what it took of the processors. Each request is counted once, with its answer.
type cost struct {
	requests, bytes int64
	processor       time.Duration
}

func (c cost) since(before cost) cost {
	return cost{c.requests - before.requests, c.bytes - before.bytes, c.processor - before.processor}
}

// report is what a run found.
type report struct {
	settings
	follows int
	filled  time.Duration

	first      int // entries that were mirrored at first
	mirroring  time.Duration
	mirrorCost cost

	idle     time.Duration
	idleCost cost

	living, settled time.Duration
	liveCost        cost
	took            []time.Duration // sorted
	lies            int64
	liesRefused     int64
	stolen          int // activities of others that lies were made of

	mirrored, differ, forged int
	example                  string
	heap                     uint64
}

func (r *report) quantile(q float64) time.Duration {
	if len(r.took) == 0 {
		return 0
	}
	return r.took[min(len(r.took)-1, int(q*float64(len(r.took))))]
}

func short(d time.Duration) string {
	if d >= 10*time.Second {
		return d.Round(time.Second).String()
	}
	return d.Round(time.Millisecond).String()
}

// table is the report as Markdown.
func (r *report) table() string {
	var b strings.Builder
	row := func(what, format string, args ...any) {
		fmt.Fprintf(&b, "| %s | %s |\n", what, fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(&b, "| %d islands with %d entries each, %d agreements | |\n|---|---|\n", r.islands, r.entries, r.follows)
	row("filled, each with its own", "%s", short(r.filled))
	row("first mirroring", "%d entries in %s, %.0f bytes and %.2f ms of processor an entry", r.first, short(r.mirroring),
		per(r.mirrorCost.bytes, r.first), r.mirrorCost.processor.Seconds()*1000/float64(max(r.first, 1)))
	row("at rest, an agreement, each time that it is asked", "%.1f requests, %.0f bytes", float64(r.idleCost.requests)/float64(r.follows)/3, float64(r.idleCost.bytes)/float64(r.follows)/3)
	// What is asked anyhow in that time is not the price of changes.
	rounds := (r.living + r.settled).Seconds() / r.idle.Seconds()
	requests := float64(r.liveCost.requests) - rounds*float64(r.idleCost.requests)
	bytes := float64(r.liveCost.bytes) - rounds*float64(r.idleCost.bytes)
	row(fmt.Sprintf("%d changes while %.0f %% of the islands are away and one lies: a change", r.changes, 100*r.down), "%.1f requests, %.0f bytes, to %.1f mirrors that show it",
		requests/float64(r.changes), bytes/float64(r.changes), float64(len(r.took))/float64(r.changes))
	row("until a mirror has it: median / 90 % / 99 %", "%s / %s / %s", short(r.quantile(0.5)), short(r.quantile(0.9)), short(r.quantile(0.99)))
	row("after the last change, when all are there again: all equal after", "%s", short(r.settled))
	row("lies told / refused at the door / made of what others said", "%d / %d / %d", r.lies, r.liesRefused, r.stolen)
	row("entries on mirrors at the end / that differ from their origin / forged", "%d / %d / %d", r.mirrored, r.differ, r.forged)
	row("memory of all islands together", "%d MB", r.heap>>20)
	return b.String()
}

func per(n int64, of int) float64 { return float64(n) / float64(max(of, 1)) }
