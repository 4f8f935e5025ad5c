package freshness

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"archipel/directory"
)

// Run asks whoever is to be asked, from time to time, until ctx ends.
func (s *Service) Run(ctx context.Context) {
	wait := time.NewTimer(time.Minute) // a program that is restarted often does nothing else
	defer wait.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-wait.C:
		}
		if _, err := s.Pass(ctx); err != nil && ctx.Err() == nil {
			s.Log.Error("asking whether entries are still true", "err", err)
		}
		wait.Reset(pause)
	}
}

// Pass finishes letters that were cut short, sends the reminders and the questions that are due, and returns how many
// letters went to the outbox. Several nodes may do it at once.
func (s *Service) Pass(ctx context.Context) (letters int, err error) {
	site := s.Site()
	if site.Ask <= 0 || site.Fictional {
		return 0, nil
	}
	if err := s.followUp(ctx, site, &letters); err != nil {
		return letters, err
	}
	return letters, s.ask(ctx, site, &letters)
}

// followUp goes through everybody who was asked before.
func (s *Service) followUp(ctx context.Context, site Settings, letters *int) error {
	for after := ""; ctx.Err() == nil && *letters < perPass; {
		page, err := s.Directory.Store().Records(ctx, kindPerson, after, 200)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, r := range page {
			after = r.Key
			p, err := read(r.Key, r)
			if err != nil {
				return err
			}
			now := s.Now().UTC()
			switch {
			case !p.Never.IsZero():
				continue
			case p.Pending != "" && now.Sub(p.last()) > finishFor:
				p.Pending = ""
				if err := s.save(ctx, p); err != nil && !errors.Is(err, directory.ErrStale) {
					return err
				}
				continue
			case p.Pending != "":
			case p.Round > 0 && p.Reminded.IsZero() && now.Sub(p.At) >= quiet && now.Before(p.At.AddDate(0, site.Ask, 0)):
				open, err := s.open(ctx, p)
				if err != nil {
					return err
				}
				if len(open) == 0 {
					continue
				}
				p.Reminded, p.Pending = now, "remind"
				if err := s.save(ctx, p); errors.Is(err, directory.ErrStale) {
					continue // another node reminds
				} else if err != nil {
					return err
				}
			default:
				continue
			}
			if err := s.finish(ctx, p, letters); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// due is what one person is to be asked about.
type due struct {
	now  bool // something is due today; else all of it only soon
	list []directory.ID
}

// ask finds who is to be asked about what, and asks.
func (s *Service) ask(ctx context.Context, site Settings, letters *int) error {
	now := s.Now().UTC()
	limit := now.AddDate(0, -site.Ask, 0)
	people := map[string]*due{}
	for ids := range slices.Chunk(s.Unseen(limit.Add(ahead)), 200) {
		entries, err := s.Directory.Entries(ctx, ids)
		if err != nil {
			return err
		}
		for i := range entries {
			e := &entries[i]
			if !living(e, now) {
				continue
			}
			to, err := s.recipients(ctx, e)
			if err != nil {
				return err
			}
			for _, r := range to {
				d := people[r.key]
				if d == nil {
					d = &due{}
					people[r.key] = d
				}
				d.now = d.now || seen(e).Before(limit)
				d.list = append(d.list, e.ID)
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(people)) {
		if ctx.Err() != nil || *letters >= perPass {
			return ctx.Err()
		}
		if !people[key].now {
			continue
		}
		p, err := s.load(ctx, key)
		if err != nil {
			return err
		}
		if !p.Never.IsZero() || p.Pending != "" || p.Round > 0 && now.Sub(p.last()) < quiet {
			continue
		}
		if !p.begin(people[key].list, now, limit) {
			continue
		}
		if err := s.save(ctx, p); errors.Is(err, directory.ErrStale) {
			continue // another node asks
		} else if err != nil {
			return err
		}
		if err := s.finish(ctx, p, letters); err != nil {
			return err
		}
	}
	return nil
}

// begin makes a round of the entries that the person was not asked about since limit; it reports whether there are any.
func (p *person) begin(list []directory.ID, now, limit time.Time) bool {
	for id, q := range p.Entries {
		if q.At.Before(limit.Add(limit.Sub(now))) { // two intervals ago
			delete(p.Entries, id)
		}
	}
	begun := 0
	for _, id := range list {
		if q := p.Entries[id]; q != nil && q.At.After(limit.Add(ahead)) || begun == listed {
			continue
		}
		p.Entries[id] = &question{Round: p.Round + 1, At: now}
		begun++
	}
	if begun == 0 {
		return false
	}
	p.Round, p.At, p.Reminded, p.Pending = p.Round+1, now, time.Time{}, "ask"
	return true
}

// open are the entries of a person's round that wait for an answer: still public, still the person's, and confirmed by nobody
// since. They are in the order of their names.
func (s *Service) open(ctx context.Context, p *person) (out []subject, err error) {
	var ids []directory.ID
	for id, q := range p.Entries {
		if q.Round == p.Round && q.Answer == "" {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	for ids := range slices.Chunk(ids, 200) {
		entries, err := s.Directory.Entries(ctx, ids)
		if err != nil {
			return nil, err
		}
		for i := range entries {
			e := &entries[i]
			if !living(e, s.Now()) || seen(e).After(p.Entries[e.ID].At) {
				continue
			}
			to, err := s.recipients(ctx, e)
			if err != nil {
				return nil, err
			}
			if at := slices.IndexFunc(to, func(r recipient) bool { return r.key == p.key }); at >= 0 {
				out = append(out, subject{*e, to[at]})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b subject) int { return strings.Compare(directory.Fold(a.Name), directory.Fold(b.Name)) })
	return out, nil
}

// living reports whether an entry is worth a question: public, ours, and not over.
func living(e *directory.Entry, now time.Time) bool {
	if !e.Public() || e.Origin != "" {
		return false
	}
	if e.Event == nil {
		return true
	}
	_, coming := e.Event.Next(now, time.UTC)
	return coming
}

// subject is an entry and who is asked about it.
type subject struct {
	directory.Entry
	to recipient
}

// finish brings a letter that was begun into the outbox, and notes that it is there. Doing it twice sends it once.
func (s *Service) finish(ctx context.Context, p *person, letters *int) error {
	open, err := s.open(ctx, p)
	if err != nil {
		return err
	}
	if len(open) > 0 {
		msg, err := s.letter(ctx, p, open)
		if err != nil {
			return err
		}
		if err := s.Accounts.Mailer.Send(ctx, msg); err != nil {
			return err
		}
		*letters++
	}
	p.Pending = ""
	if err := s.save(ctx, p); err != nil && !errors.Is(err, directory.ErrStale) {
		return err
	}
	return nil
}
