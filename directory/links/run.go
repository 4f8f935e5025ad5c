package links

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"time"

	"archipel/directory"
)

// How often servers are asked.
const (
	pace     = 3 * time.Second  // between two requests: at most twenty addresses a minute
	hostPace = 15 * time.Second // between two requests to one host
	begin    = 2 * time.Minute  // after the start: a program that is restarted often asks nobody
	between  = time.Hour        // two rounds, when nothing was left over
	month    = 30 * day

	roundMax = 1000 // addresses of one round
	hostMax  = 20   // of them on one host: it has the rest of them in later rounds
	heldMax  = 8    // hosts that fail in a row, after which one's own network is doubted
	giveUp   = 5    // such rows, after which it is thought to be down
)

// Run looks at what is due, slowly, until ctx ends.
func (s *Service) Run(ctx context.Context) {
	wait := begin
	for s.Wait(ctx, wait) == nil {
		more, err := s.Round(ctx)
		if err != nil && ctx.Err() == nil {
			s.Log.Warn("the links of the directory could not be looked at", "err", err)
		}
		if wait = between; more && err == nil {
			wait = pace
		}
	}
}

// task is an address to ask.
type task struct {
	url, key, host string
	entries        []directory.ID
	was            *Trouble
	turn           int // how many of its host come before
}

// failure is a task that failed without an answer, until it is known that the fault is not on our side.
type failure struct {
	task
	result result
	at     time.Time
}

// Round asks what is due, at most [roundMax] addresses; more says that some are left. It can be cut short at any moment: what
// was asked is written down at once, but for failures that may be our own.
func (s *Service) Round(ctx context.Context) (more bool, err error) {
	if !s.On() {
		return false, nil
	}
	tasks, more, err := s.due(ctx)
	if err != nil {
		return false, err
	}
	var held []failure
	hosts := map[string]bool{} // of those held
	doubts := 0
	for i := range tasks {
		if !s.On() {
			return false, nil
		}
		t := &tasks[i]
		r, err := s.visit(ctx, t.url, t.host)
		if err != nil {
			return false, err
		}
		if err := directory.Held(ctx); err != nil {
			return false, err // another node does it now
		}
		if !r.answered {
			held = append(held, failure{*t, r, s.Now().UTC()})
			if hosts[t.host] = true; len(hosts) < heldMax {
				continue
			}
			// So many servers cannot be away at once, or can they?
			works, err := s.networkWorks(ctx, hosts)
			if err != nil {
				return false, err
			}
			if !works { // those that failed come again; the next one may answer
				if doubts++; doubts == giveUp {
					return false, nil
				}
				held = nil
				clear(hosts)
				continue
			}
		} else if err := s.settle(ctx, t, r, s.Now().UTC()); err != nil {
			return false, err
		} else if r.code == "" {
			s.remember(ctx, t.url)
		}
		// Something answered: the network works, and the failures are the others'.
		if err := s.settleAll(ctx, held); err != nil {
			return false, err
		}
		held, doubts = nil, 0
		clear(hosts)
	}
	if len(held) > 0 {
		works, err := s.networkWorks(ctx, hosts)
		if err != nil || !works {
			return false, err
		}
		return more, s.settleAll(ctx, held)
	}
	return more, nil
}

func (s *Service) settleAll(ctx context.Context, held []failure) error {
	for i := range held {
		if err := s.settle(ctx, &held[i].task, held[i].result, held[i].at); err != nil {
			return err
		}
	}
	return nil
}

// due gathers the addresses to ask, those of one host far apart.
func (s *Service) due(ctx context.Context) (tasks []task, more bool, err error) {
	now := s.Now()
	at := map[string]int{} // of a key in tasks, -1: it is not due, or its turn comes later
	perHost := map[string]int{}
	err = s.Directory.Store().Scan(ctx, "", func(list []directory.Entry) error {
		for i := range list {
			e := &list[i]
			if !living(e, now) {
				continue
			}
			for _, raw := range Addresses(e) {
				key := keyOf(raw)
				if n, seen := at[key]; seen {
					if n >= 0 && len(tasks[n].entries) < maxEntries && !slices.Contains(tasks[n].entries, e.ID) {
						tasks[n].entries = append(tasks[n].entries, e.ID)
					}
					continue
				}
				if len(tasks) == roundMax {
					more = true
					continue
				}
				at[key] = -1
				was, err := s.trouble(ctx, key)
				if err != nil {
					return err
				}
				if was != nil && now.Before(was.Next) {
					continue
				}
				if was == nil {
					r, err := s.Directory.Store().Record(ctx, kindFine, key)
					if err != nil {
						return err
					}
					if r.Rev > 0 && now.Before(r.Expires) {
						continue
					}
				}
				host := hostOf(raw)
				if perHost[host] == hostMax {
					more = true
					continue
				}
				at[key] = len(tasks)
				tasks = append(tasks, task{url: raw, key: key, host: host, entries: []directory.ID{e.ID}, was: was, turn: perHost[host]})
				perHost[host]++
			}
		}
		return ctx.Err()
	})
	// In no order that lasts: else servers that are away could keep others from their turn.
	rand.Shuffle(len(tasks), func(i, j int) { tasks[i], tasks[j] = tasks[j], tasks[i] })
	slices.SortStableFunc(tasks, func(a, b task) int { return a.turn - b.turn })
	return tasks, more, err
}

// living reports whether the links of an entry are ours to look at: it is public, it belongs to this instance, and is not over.
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

func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return strings.TrimPrefix(strings.ToLower(u.Host), "www.")
}

// settle writes down how it went.
func (s *Service) settle(ctx context.Context, t *task, r result, at time.Time) error {
	if r.code == "" {
		return s.fine(ctx, t.key, t.was, at.Add(jittered(month)))
	}
	now := Trouble{URL: t.url, Entries: t.entries, Code: r.code, Status: r.status, To: r.to, Since: at, Tried: at, Next: at.Add(jittered(month)), key: t.key}
	if t.was != nil {
		now.rev = t.was.rev
		if (t.was.Code == MovedFor) == (r.code == MovedFor) {
			now.Since, now.Failures = t.was.Since, t.was.Failures
		}
	}
	if r.code != MovedFor {
		now.Failures++
		wait := min(day<<min(now.Failures-1, 3), 7*day) // after one day, two, four, then every week
		now.Next = at.Add(max(jittered(wait), r.after))
	}
	return s.save(ctx, &now)
}

// jittered spreads what was asked together.
func jittered(d time.Duration) time.Duration { return d + rand.N(d/6+1) }

const maxWitnesses = 6

// remember keeps some addresses that answered, of different hosts, to tell a fault of our own network from those of others.
func (s *Service) remember(ctx context.Context, raw string) {
	if s.Now().Before(s.next) {
		return
	}
	s.next = s.Now().Add(time.Minute) // it need not be the newest
	store := s.Directory.Store()
	r, list, err := s.witnesses(ctx)
	if err != nil {
		return // it is only less sure next time
	}
	list = slices.DeleteFunc(list, func(one string) bool { return hostOf(one) == hostOf(raw) })
	list = append([]string{raw}, list[:min(len(list), maxWitnesses-1)]...)
	if r.Value, err = json.Marshal(list); err == nil {
		err = lost(store.PutRecord(ctx, kindWitness, r))
	}
	if err != nil && ctx.Err() == nil {
		s.Log.Warn("a link that answers was not noted", "err", err)
	}
}

func (s *Service) witnesses(ctx context.Context) (r directory.Record, list []string, err error) {
	if r, err = s.Directory.Store().Record(ctx, kindWitness, "lately"); err != nil || r.Rev == 0 {
		r.Key = "lately"
		return r, nil, err
	}
	if json.Unmarshal(r.Value, &list) != nil {
		list = nil // it is written anew
	}
	return r, list, nil
}

// networkWorks reports whether some address that answered before, of none of the hosts that just failed, answers now.
func (s *Service) networkWorks(ctx context.Context, failed map[string]bool) (bool, error) {
	_, list, err := s.witnesses(ctx)
	if err != nil {
		return false, err
	}
	for _, raw := range list {
		if failed[hostOf(raw)] {
			continue
		}
		r, err := s.visit(ctx, raw, hostOf(raw))
		if err != nil || r.answered {
			return r.answered, err
		}
	}
	s.Log.Info("no server answers: the network of this one may be down, and no link is called broken for it", "hosts", len(failed))
	return false, nil
}
