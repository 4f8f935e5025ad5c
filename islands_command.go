package main

import (
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"archipel/directory"
	"archipel/federation/islands"
)

const islandsVerbs = `archipel islands VERB, beside a running server, which tells the other side within seconds:
  list                        the other directories, what was agreed, how fresh it is
  ask ADDRESS                 ask another directory to let us show its entries
  follow ACTOR                show the events of an actor that speaks plain ActivityPub: Mobilizon's relay or a group there,
                              a Gancio instance, an organisation's account; as name@server, or its address
  offer ADDRESS               invite another directory to show ours
  accept HOST, refuse HOST    one that asks to show ours; accept with a scope gives it less than it asked for
  pause HOST [in|out], resume HOST [in|out], end HOST [in|out]
                              what we follow (in), what follows us (out), or both
  policy HOST show|review|suggest
                              what becomes of what comes: public at once, for a moderator, or drafts
  sync HOST                   ask it now, and compare everything
with ask, follow, offer and accept, the scope: -zones FR-42,FR-69 -area FILE.geojson -kinds place,event -categories ID,ID
-languages fr,en -others; with ask and follow also -policy; with follow -online (events without a place too); with accept
-keep (it may not pass them on); with refuse -note
`

// islandsCommand is what an operator agrees with other directories.
func islandsCommand(ctx context.Context, env *environment, args []string) error {
	set := flags("islands", env)
	scoped := scopeFlags(set)
	policy := set.String("policy", "", "of what comes in: show (the default), review or suggest")
	online := set.Bool("online", false, "with follow: also events without a place that are online")
	keep := set.Bool("keep", false, "the island may not pass our entries on to others")
	note := set.String("note", "", "told to the island that is refused")
	c, rest, err := parse(set, env, args)
	if err != nil {
		return err
	}
	verb := ""
	if len(rest) > 0 {
		verb, rest = rest[0], rest[1:]
	}
	wants := map[string][2]int{"list": {0, 0}, "ask": {1, 1}, "follow": {1, 1}, "offer": {1, 1}, "accept": {1, 1}, "refuse": {1, 1}, "pause": {1, 2}, "resume": {1, 2}, "end": {1, 2}, "policy": {2, 2}, "sync": {1, 1}}
	n, known := wants[verb]
	if !known || len(rest) < n[0] || len(rest) > n[1] {
		fmt.Fprint(env.stderr, islandsVerbs)
		return fmt.Errorf("islands %s: %w", strings.TrimSpace(verb+" "+strings.Join(rest, " ")), errUsage)
	}
	scope, given, err := scoped()
	if err != nil {
		return err
	}
	store, err := c.store(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	if verb == "list" {
		return listIslands(ctx, store, env.stdout)
	}
	if verb == "follow" {
		a, err := islands.Follow(ctx, store, rest[0], scope, islands.Policy(*policy), *online)
		if err != nil {
			return fmt.Errorf("follow %s: %w", rest[0], err)
		}
		fmt.Fprintf(env.stdout, "%s will be followed; it may have to say yes first\n", a.Host)
		return nil
	}
	host, err := islands.KeyOf(rest[0])
	if err != nil {
		return err
	}
	direction := islands.Both
	if len(rest) == 2 && verb != "policy" {
		if direction = islands.Direction(rest[1]); direction != islands.In && direction != islands.Out {
			return fmt.Errorf("%q: want in or out: %w", rest[1], errUsage)
		}
	}
	switch verb {
	case "ask":
		_, err = islands.Ask(ctx, store, rest[0], scope, islands.Policy(*policy))
	case "offer":
		_, err = islands.Offer(ctx, store, rest[0], scope)
	case "accept":
		narrower := &scope
		if !given {
			narrower = nil
		}
		_, err = islands.Accept(ctx, store, host, narrower, !*keep)
	case "refuse":
		_, err = islands.Refuse(ctx, store, host, *note)
	case "pause":
		_, err = islands.Pause(ctx, store, host, direction)
	case "resume":
		_, err = islands.Resume(ctx, store, host, direction)
	case "end":
		_, err = islands.End(ctx, store, host, direction)
	case "policy":
		_, err = islands.SetPolicy(ctx, store, host, islands.Policy(rest[1]))
	case "sync":
		err = islands.AskNow(ctx, store, host, true)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", verb, rest[0], err)
	}
	return nil
}

// scopeFlags adds the options of a scope; the function returns it, and whether any of them was given.
func scopeFlags(set *flag.FlagSet) func() (islands.Scope, bool, error) {
	zones := set.String("zones", "", "codes of territories, separated by commas")
	area := set.String("area", "", "GeoJSON file with a polygon")
	kinds := set.String("kinds", "", "organisation, place, initiative, event")
	categories := set.String("categories", "", "of the directory that is followed")
	languages := set.String("languages", "", "like fr,en")
	others := set.Bool("others", false, "also what that directory shows of others")
	return func() (s islands.Scope, given bool, err error) {
		s = islands.Scope{Zones: commaList(*zones), Categories: commaList(*categories), Languages: commaList(*languages), Others: *others}
		for _, k := range commaList(*kinds) {
			s.Kinds = append(s.Kinds, directory.Kind(k))
		}
		if *area != "" {
			if s.Area, err = readArea(*area); err != nil {
				return s, true, fmt.Errorf("-area: %w", err)
			}
		}
		given = s.Others || s.Area != nil || len(s.Zones)+len(s.Kinds)+len(s.Categories)+len(s.Languages) > 0
		return s, given, nil
	}
}

func commaList(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

// readArea reads a polygon: a geometry, a feature, or a collection of one feature.
func readArea(path string) (*directory.Shape, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 8<<20))
	if err != nil {
		return nil, err
	}
	return islands.ParseArea(b)
}

// listIslands prints what an operator wants to know.
func listIslands(ctx context.Context, store directory.Store, w io.Writer) error {
	all, err := islands.Statuses(ctx, store, time.Now())
	if err != nil {
		return err
	}
	var b strings.Builder
	for _, st := range all {
		fmt.Fprintf(&b, "%s  %s", st.Host, st.Name)
		if st.Plain != nil {
			fmt.Fprintf(&b, "  (plain ActivityPub: %s)", cmp.Or(st.Plain.Type, "not found yet"))
		}
		b.WriteByte('\n')
		for _, side := range []struct {
			what string
			*islands.Side
		}{{"we follow it", &st.In}, {"it follows us", &st.Out}} {
			if side.State == "" {
				continue
			}
			fmt.Fprintf(&b, "  %s: %s since %s", side.what, side.State, side.Since.Local().Format(time.DateOnly))
			if scope, err := json.Marshal(side.Asked); err == nil && string(scope) != "{}" {
				fmt.Fprintf(&b, ", asked %s", scope)
			}
			if side.State == islands.Narrowed {
				if scope, err := json.Marshal(side.Agreed); err == nil {
					fmt.Fprintf(&b, ", agreed %s", scope)
				}
			}
			if side.Tell != "" {
				fmt.Fprintf(&b, ", not told yet: %s", side.Tell)
			}
			if side.Note != "" {
				fmt.Fprintf(&b, ", it says: %s", side.Note)
			}
			switch side.Reason {
			case islands.ReasonFull:
				b.WriteString(" by its program: too many directories wait for an answer there, ask again in some days")
			case islands.ReasonLarge:
				b.WriteString(" by its program: this directory says more of itself than is kept there")
			}
			b.WriteByte('\n')
		}
		if !st.Sync.Contact.IsZero() {
			fmt.Fprintf(&b, "  heard of it %s\n", st.Sync.Contact.Local().Format(time.DateTime))
		}
		for why, n := range st.Sync.Refused {
			fmt.Fprintf(&b, "  %d entries not taken: %s\n", n, why)
		}
		if st.Problem != "" {
			fmt.Fprintf(&b, "  problem: %s\n", st.Problem)
		}
	}
	if b.Len() == 0 {
		b.WriteString("no other directories yet: archipel islands ask ADDRESS\n")
	}
	_, err = io.WriteString(w, b.String())
	return err
}
