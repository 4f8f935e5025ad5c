package islands

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"archipel/directory"
)

// StaleAfter is how long an island may be silent before what it shows is marked as such.
const StaleAfter = 30 * 24 * time.Hour

// Status is how an island fares.
type Status struct {
	Agreement
	Sync    SyncState
	Count   Count         // what there is of it here; zero without a running Service
	Stale   bool          // it is followed, and has been silent for [StaleAfter]
	Behind  directory.Seq // changes that it has not been told of, when it follows; without a running Service, -1
	Problem string        // why it cannot be told, or asked; empty when all is well
	Blocked bool          // by the policy of the instance
}

// Statuses lists the islands with which there ever was something, by host, as the store knows them.
func Statuses(ctx context.Context, store directory.Store, now time.Time) ([]Status, error) {
	list, err := List(ctx, store)
	if err != nil {
		return nil, err
	}
	all := make([]Status, len(list))
	for i, a := range list {
		all[i] = Status{Agreement: a, Behind: -1}
		if _, err := get(ctx, store, kindSync, a.Host, &all[i].Sync); err != nil {
			return nil, err
		}
		all[i].judge(now)
	}
	return all, nil
}

// judge says how an island fares of which the agreement is known, and how asking it went.
func (st *Status) judge(now time.Time) {
	heard := st.Sync.Contact
	if heard.IsZero() {
		heard = st.In.Since
	}
	st.Stale = st.In.Active() && now.Sub(heard) > StaleAfter
	for _, why := range []string{st.In.Error, st.Out.Error, st.Sync.Error} {
		if why != "" {
			st.Problem = why
			return
		}
	}
}

// Statuses lists the islands with what a running server knows of them besides.
func (s *Service) Statuses(ctx context.Context) ([]Status, error) {
	all, err := Statuses(ctx, s.store, s.Now())
	if err != nil {
		return nil, err
	}
	s.complete(all)
	return all, nil
}

// Standing lists the islands with which an agreement stands, as Statuses does, but from what this process has at hand of the
// agreements, which it looks at again every few seconds: it is for pages that everybody may ask for, and what others leave here
// who only knocked is not read for it.
func (s *Service) Standing(ctx context.Context) ([]Status, error) {
	var all []Status
	for _, a := range s.cache.list() {
		if a.In.Standing || a.Out.Standing {
			all = append(all, Status{Agreement: *a})
		}
	}
	if len(all) == 0 {
		return nil, nil
	}
	at := make(map[string]*Status, len(all))
	for i := range all {
		at[all[i].Host] = &all[i]
	}
	err := eachRecord(ctx, s.store, kindSync, func(r directory.Record) error {
		st := at[r.Key]
		if st == nil {
			return nil
		}
		if err := json.Unmarshal(r.Value, &st.Sync); err != nil {
			return fmt.Errorf("record %s %s: %w: %w", kindSync, r.Key, directory.ErrCorrupt, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i := range all {
		all[i].judge(s.Now())
	}
	s.complete(all)
	return all, nil
}

// complete adds what a running server knows.
func (s *Service) complete(all []Status) {
	counts := s.Mirrors.Counts()
	told := map[string]directory.FollowerState{}
	for _, f := range s.Directory.Followers() {
		told[f.Name] = f
	}
	for i := range all {
		st := &all[i]
		st.Count, st.Blocked, st.Behind = counts[st.Host], s.Network.Blocks(st.Server()), 0
		if f, ok := told[followerPrefix+st.Host]; ok && st.Out.Active() {
			st.Behind = max(0, s.Directory.Head()-f.At)
			if f.Err != nil && st.Problem == "" {
				st.Problem = f.Err.Error()
			}
		}
	}
}

// AskNow lets the running server ask an island within seconds; with full, both sides compare everything.
func AskNow(ctx context.Context, store directory.Store, host string, full bool) error {
	a, err := With(ctx, store, host)
	if err != nil {
		return err
	}
	if !a.In.Active() {
		return ErrNoAgreement
	}
	return askSoon(ctx, store, host, full)
}

func askSoon(ctx context.Context, store directory.Store, host string, full bool) error {
	_, err := change(ctx, store, kindSync, host, func(v *SyncState, _ int64) (bool, error) {
		if v.Soon = true; full {
			v.again()
		}
		return true, nil
	})
	return err
}
