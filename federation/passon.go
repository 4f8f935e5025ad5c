package federation

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"archipel/directory"
	"archipel/federation/fetch"
	"archipel/federation/vocab"
)

const (
	kindPassed = "ap-passed" // hash of what it is about and says

	passedKept    = 180 * 24 * time.Hour
	passedAtOnce  = 8
	passedTicks   = 5 * time.Second
	MaxReportText = 2000 // characters of what is passed on
)

// Passed is a report that this instance passes on to the server where something belongs: a Flag of the instance actor. Who
// reported it here is never said there.
type Passed struct {
	ID      string    `json:"id"` // of the activity
	Host    string    `json:"host"`
	Actor   string    `json:"actor"` // who is responsible there; empty: whoever the first object belongs to
	Objects []string  `json:"objects,omitempty"`
	Text    string    `json:"text"`
	By      string    `json:"by"` // who decided so here, as in the log; it stays here
	At      time.Time `json:"at"`

	Tries int       `json:"tries,omitzero"`
	Next  time.Time `json:"next,omitzero"`
	Why   string    `json:"why,omitempty"`   // it has not arrived
	Sent  time.Time `json:"sent,omitzero"`   // it has arrived
	Ended bool      `json:"ended,omitempty"` // it never will

	rev int64
}

// Waits reports whether it is still to be sent.
func (p *Passed) Waits() bool { return p.Sent.IsZero() && !p.Ended }

func (p *Passed) key() string {
	return hashKey(p.Actor + "\n" + strings.Join(p.Objects, "\n") + "\n" + p.Text)
}

// Report passes a report on to another server. actor is the address of whoever is responsible there, objects are addresses of
// what it is about, of the same server: Mastodon, GoToSocial and Mobilizon find by the actor what to do with it. by is who
// decided so, for the operator of this instance alone. The text is plain; whoever calls this has left out who reported.
//
// It is kept and sent until it arrives, for a week; the same report is kept once. What is wrong with it is a
// [directory.Invalid].
func (s *Service) Report(ctx context.Context, by, text, actor string, objects ...string) error {
	return s.report(ctx, by, text, vocab.Host(actor), actor, objects)
}

// report is Report; without an actor, who is responsible is asked of the first object when the report is sent.
func (s *Service) report(ctx context.Context, by, text, host, actor string, objects []string) error {
	wrong := func(field, code string, value any) error {
		return directory.Invalid{{Field: field, Code: code, Params: map[string]any{"value": value}}}
	}
	switch p := s.policy.get(); {
	case host == "" || host == s.host || len(actor) > 2000:
		return wrong("actor", directory.CodeInvalid, actor)
	case p.Blocked(host):
		return wrong("actor", directory.CodeNotHere, host)
	case len(objects) > 20:
		return directory.Invalid{{Field: "objects", Code: directory.CodeTooMany, Params: map[string]any{"max": 20, "got": len(objects)}}}
	}
	for _, o := range objects {
		if vocab.Host(o) != host || len(o) > 2000 {
			return wrong("objects", directory.CodeInvalid, o)
		}
	}
	text = reportText(text)
	switch n := utf8.RuneCountInString(text); {
	case n == 0:
		return wrong("text", directory.CodeRequired, "")
	case n > MaxReportText:
		return directory.Invalid{{Field: "text", Code: directory.CodeTooLong, Params: map[string]any{"max": MaxReportText, "got": n}}}
	}
	p := Passed{Host: host, Actor: actor, Objects: slices.Compact(objects), Text: text, By: by, At: s.Now().UTC()}
	p.ID = s.relayID() + "#Flag/" + p.key()[:32]
	if err := put(ctx, s.store, kindPassed, p.key(), p, 0, p.At.Add(passedKept)); err != nil && !isStale(err) {
		return err
	}
	select {
	case s.passing <- struct{}{}:
	default:
	}
	return nil
}

// ReportEntry is [Service.Report] about an entry that belongs to another island, or that comes from a server that is none: that
// one is told of the event by the address that it has there, and of the actor that it belongs to.
func (s *Service) ReportEntry(ctx context.Context, by, text string, e *directory.Entry) error {
	if e.Origin == "" {
		return directory.Invalid{{Field: "origin", Code: directory.CodeRequired}}
	}
	id := e.ID
	if e.Private != nil && e.Private.Mirror != nil {
		m := e.Private.Mirror
		if len(m.Via) > 0 && strings.Contains(m.Via[0], "@") { // it has no relay, and no addresses by ID
			if e.Source == nil || vocab.Host(e.Source.ExternalID) != e.Origin {
				return directory.Invalid{{Field: "source", Code: directory.CodeRequired}}
			}
			return s.report(ctx, by, text, e.Origin, "", []string{e.Source.ExternalID})
		}
		if m.ID != "" {
			id = m.ID
		}
	}
	scheme, _, _ := strings.Cut(s.base, ":")
	base := scheme + "://" + e.Origin
	return s.Report(ctx, by, text, base+"/ap/relay", base+"/id/"+string(id))
}

// reportText is a text that nobody can take for markup: some servers show it as it is, others read HTML in it.
func reportText(text string) string {
	text = strings.NewReplacer("\r\n", "\n", "<", "‹", ">", "›").Replace(strings.ToValidUTF8(text, ""))
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' {
			return ' '
		}
		return r
	}, text))
}

// PassedOn lists the reports that were passed on in the last half year, the newest first. It works beside a running server.
func PassedOn(ctx context.Context, store directory.Store) ([]Passed, error) {
	var list []Passed
	err := eachRecord(ctx, store, kindPassed, func(r directory.Record) error {
		p := Passed{rev: r.Rev}
		if err := json.Unmarshal(r.Value, &p); err != nil {
			return fmt.Errorf("record %s %s: %w: %w", kindPassed, r.Key, directory.ErrCorrupt, err)
		}
		list = append(list, p)
		return nil
	})
	slices.SortFunc(list, func(a, b Passed) int { return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.ID, b.ID)) })
	return list, err
}

// passOn sends the reports that wait, until ctx ends. Of several nodes one does so.
func (s *Service) passOn(ctx context.Context) error {
	tick := time.NewTicker(passedTicks)
	defer tick.Stop()
	for {
		if err := s.passAll(ctx); err != nil && ctx.Err() == nil {
			s.Log.Warn("federation: reports cannot be passed on", "err", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.passing:
		case <-tick.C:
		}
	}
}

func (s *Service) passAll(ctx context.Context) error {
	list, err := PassedOn(ctx, s.store)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	slots := make(chan struct{}, passedAtOnce)
	for _, p := range slices.Backward(list) {
		if !p.Waits() || p.Next.After(s.Now()) {
			continue
		}
		if err := directory.Held(ctx); err != nil {
			return err
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			err := s.pass(ctx, &p)
			if ctx.Err() == nil && err == nil {
				err = put(ctx, s.store, kindPassed, p.key(), p, p.rev, p.At.Add(passedKept))
			}
			if err != nil && ctx.Err() == nil {
				s.Log.Warn("federation: a report cannot be passed on", "id", p.ID, "host", p.Host, "err", err)
			}
		})
	}
	return nil
}

// pass sends one report, and notes in it how that ended. The error is one of the store.
func (s *Service) pass(ctx context.Context, p *Passed) error {
	now := s.Now().UTC()
	if policy := s.policy.get(); policy.Blocked(p.Host) {
		p.Ended, p.Why = true, "blocked"
		return nil
	}
	wait, err := s.hosts.wait(ctx, p.Host)
	if err != nil {
		return err
	}
	old := now.Sub(p.At) > deadAfter
	if wait > 0 && !old {
		p.Next = now.Add(wait)
		return nil
	}
	sent := s.sendReport(ctx, p)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(sent, errCrowd) { // we have not asked it: that says nothing of the server
		p.Ended, p.Next, p.Why = old, now.Add(time.Hour), short(sent.Error(), 300)
		return nil
	}
	p.Tries++
	if sent == nil {
		p.Sent, p.Why, p.Next = now, "", time.Time{}
		return s.hosts.succeeded(ctx, p.Host)
	}
	p.Why = short(sent.Error(), 300)
	var status *fetch.StatusError
	asked := time.Duration(0)
	if errors.As(sent, &status) {
		asked = status.RetryAfter
	}
	switch judgement(sent) {
	case unknown:
		p.Ended = old || now.Sub(p.At) > insistFor
		p.Next = now.Add(max(asked, pauseAfter(p.Tries, false, rand.Float64())))
	case away:
		if wait, _, err = s.hosts.failed(ctx, p.Host, sent, asked); err != nil {
			return err
		}
		p.Ended, p.Next = old, now.Add(wait)
	default:
		p.Ended = true
		return s.hosts.refused(ctx, p.Host, p.ID, sent)
	}
	return nil
}

func (s *Service) sendReport(ctx context.Context, p *Passed) error {
	responsible := p.Actor
	if responsible == "" {
		var err error
		if responsible, err = s.ownerOf(ctx, p.Objects[0]); err != nil {
			return err
		}
	}
	actor, err := s.actors.get(ctx, responsible)
	if err != nil {
		return err
	}
	body, err := encode(s.flagDocument(p, responsible))
	if err != nil {
		return err
	}
	return s.post(ctx, s.self(), p.Host, actor.inbox(), body, false)
}

// ownerOf asks another server to whom there an object belongs.
func (s *Service) ownerOf(ctx context.Context, address string) (string, error) {
	doc, err := s.Object(ctx, address)
	if err != nil {
		return "", err
	}
	for _, property := range []string{"attributedTo", "actor"} {
		for _, r := range vocab.Refs(doc, property) {
			if vocab.SameOrigin(r.ID, address) {
				return r.ID, nil
			}
		}
	}
	return "", fmt.Errorf("%.200q belongs to nobody of its server: %w", address, errStranger)
}

// flagDocument is a Flag in the form that all take: a list, with the actor first, and a text without markup.
func (s *Service) flagDocument(p *Passed, actor string) map[string]any {
	objects := []any{actor}
	for _, o := range p.Objects {
		if o != actor {
			objects = append(objects, o)
		}
	}
	return map[string]any{
		"@context": vocab.Context, "id": p.ID, "type": "Flag", "actor": s.relayID(), "to": []any{actor}, "object": objects, "content": p.Text,
		"published": p.At.Format(time.RFC3339),
	}
}
