package islands

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"archipel/directory"
)

// The kinds of records that the archipelago keeps.
const (
	kindIsland  = "island"         // an Agreement, by host
	kindSync    = "island-sync"    // how asking a peer fares, by host
	kindOverlay = "island-overlay" // local curation, by the id of the entry
	kindMap     = "island-map"     // words of an island in ours, by host
	kindSelf    = "island-self"    // the identity of our log
)

// encode writes JSON without escaping what is safe.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// get reads a record into v. One that is not there leaves v alone and has revision 0.
func get(ctx context.Context, store directory.Records, kind, key string, v any) (rev int64, err error) {
	r, err := store.Record(ctx, kind, key)
	if err != nil || r.Rev == 0 {
		return 0, err
	}
	if err := json.Unmarshal(r.Value, v); err != nil {
		return 0, fmt.Errorf("record %s %s: %w: %w", kind, key, directory.ErrCorrupt, err)
	}
	return r.Rev, nil
}

func put(ctx context.Context, store directory.Records, kind, key string, v any, rev int64) error {
	b, err := encode(v)
	if err != nil {
		return err
	}
	return store.PutRecord(ctx, kind, directory.Record{Key: key, Value: b, Rev: rev})
}

// change reads a record, lets fn change it, and writes it; of several who do so at once each has its say. fn reports
// whether there is anything to write.
func change[T any](ctx context.Context, store directory.Records, kind, key string, fn func(v *T, rev int64) (bool, error)) (T, error) {
	for {
		var v T
		rev, err := get(ctx, store, kind, key, &v)
		if err != nil {
			return v, err
		}
		write, err := fn(&v, rev)
		if err != nil || !write {
			return v, err
		}
		if err = put(ctx, store, kind, key, v, rev); !isStale(err) {
			return v, err
		}
	}
}

// each calls fn with every record of a kind.
func each[T any](ctx context.Context, store directory.Records, kind string, fn func(key string, rev int64, v T) error) error {
	return eachRecord(ctx, store, kind, func(r directory.Record) error {
		var v T
		if err := json.Unmarshal(r.Value, &v); err != nil {
			return fmt.Errorf("record %s %s: %w: %w", kind, r.Key, directory.ErrCorrupt, err)
		}
		return fn(r.Key, r.Rev, v)
	})
}

func eachRecord(ctx context.Context, store directory.Records, kind string, fn func(directory.Record) error) error {
	for after := ""; ; {
		records, err := store.Records(ctx, kind, after, 500)
		if err != nil || len(records) == 0 {
			return err
		}
		for _, r := range records {
			if err := fn(r); err != nil {
				return err
			}
		}
		after = records[len(records)-1].Key
	}
}

// self is the identity of this directory's log: what cursors are signed with, and the epoch, another one after the log
// turned out to have lost its end.
type self struct {
	mu     sync.Mutex
	Epoch  int64  `json:"epoch"`
	Secret string `json:"secret"` // hexadecimal
}

type storedSelf struct {
	Epoch  int64  `json:"epoch"`
	Secret string `json:"secret"`
	Keys   int    `json:"keys,omitempty"` // generation of the keys that were in use when the epoch began

	Licence *string `json:"licence,omitempty"` // of the site then; nil: it was not noted
}

func openSelf(ctx context.Context, store directory.Store) (*self, error) {
	stored, err := change(ctx, store, kindSelf, "self", func(v *storedSelf, rev int64) (bool, error) {
		if rev > 0 {
			return false, nil
		}
		b := make([]byte, 32)
		if _, err := rand.Read(b); err != nil {
			return false, err
		}
		*v = storedSelf{Secret: hex.EncodeToString(b)}
		return true, nil
	})
	return &self{Epoch: stored.Epoch, Secret: stored.Secret}, err
}

func (s *self) epoch() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Epoch
}

// refresh takes up that another process began a new epoch, and begins one when our keys were renewed: everything is said anew
// with the new ones then, so that hubs can pass it on when the old ones can be checked no more.
func (s *self) refresh(ctx context.Context, by *Service) error {
	var stored storedSelf
	if _, err := get(ctx, by.store, kindSelf, "self", &stored); err != nil {
		return err
	}
	if stored.Keys > by.Network.KeyGeneration() {
		if err := by.Network.RefreshKeys(ctx); err != nil {
			return err
		}
	}
	if keys := by.Network.KeyGeneration(); keys > stored.Keys {
		var err error
		stored, err = change(ctx, by.store, kindSelf, "self", func(v *storedSelf, _ int64) (bool, error) {
			if v.Keys >= keys {
				return false, nil
			}
			v.Keys, v.Epoch = keys, max(v.Epoch+1, by.Now().Unix())
			return true, nil
		})
		if err != nil {
			return err
		}
		by.Log.Info("islands: the mirror has new keys; all islands are told anew", "generation", keys)
	}
	s.took(stored.Epoch)
	return nil
}

// took takes up an epoch that is stored.
func (s *self) took(epoch int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Epoch = max(s.Epoch, epoch)
}

// rolledBack begins a new epoch, unless another process has done so since the one that was seen.
func (s *self) rolledBack(ctx context.Context, store directory.Store, seen int64, now time.Time) error {
	stored, err := change(ctx, store, kindSelf, "self", func(v *storedSelf, _ int64) (bool, error) {
		if v.Epoch != seen {
			return false, nil
		}
		v.Epoch = max(seen+1, now.Unix())
		return true, nil
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Epoch = stored.Epoch
	return nil
}

// agreements are what this process knows of the agreements.
type agreements struct {
	refreshing sync.Mutex // who began to read earlier shall not have the last word
	mu         sync.RWMutex
	all        map[string]*Agreement // by host
}

func (c *agreements) refresh(ctx context.Context, store directory.Store) error {
	c.refreshing.Lock()
	defer c.refreshing.Unlock()
	all := map[string]*Agreement{}
	err := eachRecord(ctx, store, kindIsland, func(r directory.Record) error {
		key, a := r.Key, Agreement{}
		if before := c.get(key); before != nil && before.rev == r.Rev {
			all[key] = before
			return nil
		}
		if err := json.Unmarshal(r.Value, &a); err != nil {
			return fmt.Errorf("record %s %s: %w: %w", kindIsland, key, directory.ErrCorrupt, err)
		}
		a.Host, a.rev = key, r.Rev
		a.prepare()
		all[key] = &a
		return nil
	})
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = all
	return nil
}

// get returns the agreement with a host, or nil. It must not be changed.
func (c *agreements) get(host string) *Agreement {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.all[host]
}

// note takes up one that was just written, until it is read again. forget takes one out.
func (c *agreements) note(a *Agreement) {
	a.prepare()
	c.refreshing.Lock()
	defer c.refreshing.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = maps.Clone(c.all)
	c.all[a.Host] = a
}

func (c *agreements) forget(host string) {
	c.refreshing.Lock()
	defer c.refreshing.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = maps.Clone(c.all)
	delete(c.all, host)
}

// prepare makes of what was read what this process keeps at hand. Of those that only knocked it is not all that they say.
func (a *Agreement) prepare() {
	if a.stranger() {
		a.About.Categories, a.About.Rules, a.About.Territory.Shape = nil, "", nil
	}
	a.In.prepare()
	a.Out.prepare()
}

// list returns the agreements by host. They must not be changed.
func (c *agreements) list() []*Agreement {
	c.mu.RLock()
	defer c.mu.RUnlock()
	list := make([]*Agreement, 0, len(c.all))
	for _, a := range c.all {
		list = append(list, a)
	}
	slices.SortFunc(list, func(a, b *Agreement) int { return strings.Compare(a.Host, b.Host) })
	return list
}

// revision is another one after any agreement changed.
func (c *agreements) revision() string {
	var b strings.Builder
	for _, a := range c.list() {
		fmt.Fprintf(&b, "%s %d ", a.Host, a.rev)
	}
	return b.String()
}
