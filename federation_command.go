package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"archipel/directory"
	"archipel/federation"
)

const federationVerbs = `archipel federation VERB, beside a running server, which follows within seconds:
  status                      who follows, which servers fail, what waits for you
  mode open|allowlist|quarantine
                              who may follow: all, allowed domains, or whom you accept
  allow DOMAIN                with allowlist or quarantine; disallow DOMAIN takes it back
  block DOMAIN [suspend|silence|noop]
                              suspend (the default) exchanges nothing; silence lets followers wait and leaves replies aside
  unblock DOMAIN
  accept ACTOR, refuse ACTOR  a follower who waits; refuse also removes one who follows
  rotate-keys [HANDLE|all]    new keys of the instance, of an organisation, or of all; followers are told by the old ones
  import FILE, export [FILE]  blocked domains as Mastodon's CSV
`

// federationCommand is what an operator says about other servers.
func federationCommand(ctx context.Context, env *environment, args []string) error {
	set := flags("federation", env)
	c, rest, err := parse(set, env, args)
	if err != nil {
		return err
	}
	if len(rest) == 0 {
		fmt.Fprint(env.stderr, federationVerbs)
		return fmt.Errorf("federation needs a verb: %w", errUsage)
	}
	verb, rest := rest[0], rest[1:]
	least, most := 1, 1
	switch verb {
	case "status":
		least, most = 0, 0
	case "export", "rotate-keys":
		least = 0
	case "block":
		most = 2
	}
	if len(rest) < least || len(rest) > most {
		fmt.Fprint(env.stderr, federationVerbs)
		return fmt.Errorf("federation %s %s: %w", verb, strings.Join(rest, " "), errUsage)
	}
	store, err := c.store(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	switch verb {
	case "status":
		return federationStatus(ctx, store, env.stdout)
	case "accept", "refuse":
		if err := federation.Decide(ctx, store, rest[0], verb == "accept"); err != nil {
			return fmt.Errorf("%s %s: nobody of that name waits or follows: %w", verb, rest[0], err)
		}
		return nil
	case "rotate-keys":
		return rotateKeys(ctx, store, env.stdout, strings.Join(rest, ""))
	case "export":
		return exportBlocks(ctx, store, env.stdout, rest)
	case "import":
		return importBlocks(ctx, store, env.stdout, rest[0])
	}
	_, err = federation.ChangePolicy(ctx, store, func(p *federation.Policy) error { return changePolicy(p, verb, rest) })
	return err
}

// changePolicy does one verb about domains or the mode.
func changePolicy(p *federation.Policy, verb string, args []string) error {
	if verb == "mode" {
		switch m := federation.Mode(args[0]); m {
		case federation.ModeOpen, federation.ModeAllowlist, federation.ModeQuarantine:
			p.Mode = m
			return nil
		}
		return fmt.Errorf("mode %q: want open, allowlist or quarantine: %w", args[0], errUsage)
	}
	domain, err := federation.Domain(args[0])
	if err != nil {
		return fmt.Errorf("%q is no domain: %w", args[0], errUsage)
	}
	switch verb {
	case "allow":
		if !slices.Contains(p.Allowed, domain) {
			p.Allowed = append(p.Allowed, domain)
		}
	case "disallow":
		p.Allowed = slices.DeleteFunc(p.Allowed, func(d string) bool { return d == domain })
	case "block":
		rule := p.Rules[domain]
		rule.Severity = federation.Suspend
		if len(args) == 2 {
			rule.Severity = federation.Severity(args[1])
		}
		if !slices.Contains([]federation.Severity{federation.Suspend, federation.Silence, federation.Noop}, rule.Severity) {
			return fmt.Errorf("severity %q: want suspend, silence or noop: %w", args[1], errUsage)
		}
		p.Rules[domain] = rule
	case "unblock":
		delete(p.Rules, domain)
	default:
		return fmt.Errorf("federation has no verb %q: %w", verb, errUsage)
	}
	return nil
}

func importBlocks(ctx context.Context, store directory.Store, stdout io.Writer, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	added, masked := 0, 0
	_, err = federation.ChangePolicy(ctx, store, func(p *federation.Policy) error {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
		added, masked, err = p.ImportCSV(f)
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	_, err = fmt.Fprintf(stdout, "%d domains, %d left out because their names are masked\n", added, masked)
	return err
}

func exportBlocks(ctx context.Context, store directory.Store, stdout io.Writer, args []string) error {
	value, _, err := store.Setting(ctx, federation.PolicyKey)
	if err != nil {
		return err
	}
	p, err := federation.ParsePolicy(value)
	if err != nil {
		return err
	}
	if len(args) == 0 {
		return p.ExportCSV(stdout)
	}
	f, err := os.Create(args[0])
	if err != nil {
		return err
	}
	if err := p.ExportCSV(f); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// rotateKeys gives new keys to the instance (""), to the organisation of a handle, or to all.
func rotateKeys(ctx context.Context, store directory.Store, w io.Writer, whose string) error {
	handles, err := federation.Handles(ctx, store)
	if err != nil {
		return err
	}
	wanted := map[string]directory.ID{}
	switch {
	case whose == "" || whose == "relay":
		wanted["relay"] = ""
	case whose == "all":
		wanted = handles
		wanted["relay"] = ""
	default:
		whose, _, _ = strings.Cut(strings.TrimPrefix(strings.ToLower(whose), "@"), "@")
		id, ok := handles[whose]
		if !ok {
			return fmt.Errorf("rotate-keys %s: no organisation has that handle, or it has no keys yet: %w", whose, directory.ErrNotFound)
		}
		wanted[whose] = id
	}
	for _, handle := range slices.Sorted(maps.Keys(wanted)) {
		if err := federation.RotateKeys(ctx, store, wanted[handle]); err != nil {
			return fmt.Errorf("rotate-keys %s: %w", handle, err)
		}
		fmt.Fprintf(w, "%s has new keys\n", handle)
	}
	return nil
}

// federationStatus prints what an operator wants to know.
func federationStatus(ctx context.Context, store directory.Store, w io.Writer) error {
	value, _, err := store.Setting(ctx, federation.PolicyKey)
	if err != nil {
		return err
	}
	p, err := federation.ParsePolicy(value)
	if err != nil {
		return err
	}
	followers, err := federation.Followers(ctx, store)
	if err != nil {
		return err
	}
	hosts, err := federation.Hosts(ctx, store)
	if err != nil {
		return err
	}
	reports, err := federation.Reports(ctx, store)
	if err != nil {
		return err
	}
	replies, err := federation.Replies(ctx, store)
	if err != nil {
		return err
	}
	waiting := 0
	for _, r := range replies {
		if r.State == federation.ReplyPending {
			waiting++
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "mode %s, %d domains allowed, %d with a rule\n", p.Mode, len(p.Allowed), len(p.Rules))
	for _, domain := range slices.Sorted(maps.Keys(p.Rules)) {
		fmt.Fprintf(&b, "  %s %s\n", p.Rules[domain].Severity, domain)
	}
	fmt.Fprintf(&b, "%d followers\n", len(followers))
	for _, f := range followers {
		state := "since"
		if f.Waiting {
			state = "waits since"
		}
		fmt.Fprintf(&b, "  %s, %s %s\n", f.Actor, state, f.Since.Format(time.DateOnly))
	}
	for _, h := range hosts {
		if h.Failures > 0 {
			fmt.Fprintf(&b, "%s fails since %s, next try %s: %s\n", h.Host, h.Failing.Format(time.DateTime), h.Next.Format(time.DateTime), h.LastError)
		}
	}
	fmt.Fprintf(&b, "%d reports\n", len(reports))
	for _, r := range reports {
		fmt.Fprintf(&b, "  %s from %s about %s: %s\n", r.Received.Format(time.DateOnly), r.Actor, strings.Join(r.Objects, " "), r.Content)
	}
	fmt.Fprintf(&b, "%d replies wait for a decision\n", waiting)
	_, err = io.WriteString(w, b.String())
	return err
}
