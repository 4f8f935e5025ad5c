package directory

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Options configure a [Directory]. Store is required.
type Options struct {
	Store     Store
	Views     []View
	Followers []Follower
	Rules     func() Rules     // asked at every write; nil for none
	Now       func() time.Time // nil for time.Now
	Log       *slog.Logger     // nil for slog.Default()
	Poll      time.Duration    // how often other processes' writes are looked for; 0 for 300 ms
	Leases    *Leases          // when several nodes share the store; nil for a lone one. [Directory.Run] drives them
}

// Directory is the entries of one instance: the one way to change them, and the views that follow every change.
type Directory struct {
	store Store
	views []View
	rules func() Rules
	now   func() time.Time
	log   *slog.Logger
	poll  time.Duration

	leases   *Leases
	steps    steps
	readings readings

	mu   sync.Mutex // held while writing and while catching up
	know sync.RWMutex
	reg  *registry // guarded by know; written only under mu
	head Seq       // guarded by know; written only under mu

	followMu  sync.Mutex
	followers []*follower   // guarded by followMu
	joined    chan struct{} // guarded by followMu; closed when followers change

	wakeMu sync.Mutex
	wake   chan struct{} // closed when the log grows
}

// Open loads the directory from its store into the views.
func Open(ctx context.Context, o Options) (*Directory, error) {
	d := &Directory{
		store: o.Store, views: o.Views, rules: o.Rules, now: o.Now, log: o.Log, poll: o.Poll, leases: o.Leases,
		reg: newRegistry(), wake: make(chan struct{}), joined: make(chan struct{}),
	}
	if d.rules == nil {
		d.rules = func() Rules { return Rules{} }
	}
	if d.now == nil {
		d.now = time.Now
	}
	if d.log == nil {
		d.log = slog.Default()
	}
	if d.poll <= 0 {
		d.poll = 300 * time.Millisecond
	}
	for _, f := range append([]Follower{redactor{o.Store}}, o.Followers...) {
		d.followers = append(d.followers, newFollower(f))
	}
	head, err := d.store.Head(ctx)
	if err != nil {
		return nil, fmt.Errorf("open directory: %w", err)
	}
	err = d.store.Scan(ctx, "", func(entries []Entry) error {
		d.take(entries)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("load directory: %w", err)
	}
	d.head = head
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.catchUp(ctx); err != nil {
		return nil, fmt.Errorf("load directory: %w", err)
	}
	return d, nil
}

// take brings new states of entries into the registry and the views. The caller holds mu, or is alone.
func (d *Directory) take(entries []Entry) {
	d.know.Lock()
	fresh := entries[:0:0]
	for i := range entries {
		if d.reg.set(&entries[i]) {
			fresh = append(fresh, entries[i])
		}
	}
	d.know.Unlock()
	if len(fresh) == 0 {
		return
	}
	for _, v := range d.views {
		v.Apply(fresh)
	}
}

// catchUp reads what others wrote. The caller holds mu.
func (d *Directory) catchUp(ctx context.Context) error {
	for {
		changes, err := d.store.Changes(ctx, d.head, 500)
		if err != nil {
			return err
		}
		if len(changes) == 0 {
			return nil
		}
		entries := make([]Entry, len(changes))
		for i := range changes {
			entries[i] = changes[i].Entry
		}
		d.take(entries)
		d.moveHead(changes[len(changes)-1].Seq)
	}
}

// moveHead records that the views have everything up to seq, and wakes the followers. The caller holds mu.
func (d *Directory) moveHead(seq Seq) {
	d.know.Lock()
	d.head = seq
	d.know.Unlock()
	d.wakeMu.Lock()
	close(d.wake)
	d.wake = make(chan struct{})
	d.wakeMu.Unlock()
}

func (d *Directory) woken() <-chan struct{} {
	d.wakeMu.Lock()
	defer d.wakeMu.Unlock()
	return d.wake
}

// Head returns the Seq up to which the views are current.
func (d *Directory) Head() Seq {
	d.know.RLock()
	defer d.know.RUnlock()
	return d.head
}

// Store returns the store, for reading the log and for settings. Entries are written through the Directory only.
func (d *Directory) Store() Store { return d.store }

// Leases returns what this node shares its work by; nil is that of a lone node, and of use too.
func (d *Directory) Leases() *Leases { return d.leases }

func (d *Directory) watch(ctx context.Context) {
	tick := time.NewTicker(d.poll)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := d.Refresh(ctx)
		switch {
		case err != nil && ctx.Err() == nil && !failing:
			failing = true
			d.log.Error("the store does not answer", "err", err)
		case err == nil && failing:
			failing = false
			d.log.Info("the store answers again")
		}
	}
}

// Refresh brings the views up to what any process has written.
func (d *Directory) Refresh(ctx context.Context) error {
	head, err := d.store.Head(ctx)
	if err != nil || head <= d.Head() {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.catchUp(ctx)
}

// Entry returns an entry whatever its status, or an error wrapping [ErrNotFound].
func (d *Directory) Entry(ctx context.Context, id ID) (Entry, error) {
	if !id.Valid() {
		return Entry{}, fmt.Errorf("entry %.60q: %w", string(id), ErrNotFound)
	}
	entries, err := d.store.Entries(ctx, []ID{id})
	if err != nil {
		return Entry{}, fmt.Errorf("entry %s: %w", id, err)
	}
	if len(entries) == 0 {
		return Entry{}, fmt.Errorf("entry %s: %w", id, ErrNotFound)
	}
	return entries[0], nil
}

// Entries returns entries in the order of ids, leaving out unknown ones.
func (d *Directory) Entries(ctx context.Context, ids []ID) ([]Entry, error) {
	var all []Entry
	for len(ids) > 0 {
		n := min(len(ids), 500)
		entries, err := d.store.Entries(ctx, ids[:n])
		if err != nil {
			return nil, err
		}
		all, ids = append(all, entries...), ids[n:]
	}
	return all, nil
}

// BySlug returns the ID of the entry that answers at slug, now or formerly.
func (d *Directory) BySlug(slug string) (ID, bool) {
	d.know.RLock()
	defer d.know.RUnlock()
	return d.reg.slug(slug)
}

// BySource returns the ID of our own entry with that [Source.Key], whatever its status.
func (d *Directory) BySource(key string) (ID, bool) {
	if key == "" {
		return "", false
	}
	d.know.RLock()
	defer d.know.RUnlock()
	return d.reg.source(key)
}

// Scan calls fn with every entry, whatever its status, in batches by ascending ID.
func (d *Directory) Scan(ctx context.Context, fn func([]Entry) error) error {
	return d.store.Scan(ctx, "", fn)
}

// History returns up to limit changes of an entry with Seq < before (0: from the newest), newest first.
func (d *Directory) History(ctx context.Context, id ID, before Seq, limit int) ([]Change, error) {
	return d.store.History(ctx, id, before, limit)
}

// At returns the entry as it stood after the change seq of its own history.
func (d *Directory) At(ctx context.Context, id ID, seq Seq) (Change, error) {
	changes, err := d.store.History(ctx, id, seq+1, 1)
	if err != nil {
		return Change{}, err
	}
	if len(changes) == 0 || changes[0].Seq != seq {
		return Change{}, fmt.Errorf("version %d of entry %s: %w", seq, id, ErrNotFound)
	}
	return changes[0], nil
}

// Changes returns up to limit changes of the log with Seq > after.
func (d *Directory) Changes(ctx context.Context, after Seq, limit int) ([]Change, error) {
	return d.store.Changes(ctx, after, limit)
}

// Batch returns up to limit changes of an import with Seq > after.
func (d *Directory) Batch(ctx context.Context, batch string, after Seq, limit int) ([]Change, error) {
	return d.store.Batch(ctx, batch, after, limit)
}

// pause waits, or reports that ctx ended first.
func pause(ctx context.Context, wait time.Duration) error {
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
