package transfer

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"archipel/directory"
)

// BatchInfo tells of one import.
type BatchInfo struct {
	Batch   string    `json:"batch"`
	Note    string    `json:"note,omitempty"`
	Sources []string  `json:"sources,omitempty"` // of the entries, at most 10
	First   time.Time `json:"first"`
	Last    time.Time `json:"last"`
	Created int       `json:"created"`
	Updated int       `json:"updated"`
	Undone  int       `json:"undone"` // entries taken back
}

// Batches lists the imports of a directory, newest first. It reads what the log gained since somebody last saved a [Tally].
func Batches(ctx context.Context, d *directory.Directory) ([]BatchInfo, error) {
	return new(Tally).Batches(ctx, d)
}

// A tally is kept as a record too, so that a start does not read the whole log again. It is no truth of its own: backups
// leave out what expires, and one that is not there is counted anew.
const (
	kindTally = "import-tally"
	tallyKey  = "log"
	tallyLife = 90 * 24 * time.Hour
	tallyPage = 1000 // changes read at a time
	tallySave = 1000 // changes from which on it is worth saving
)

// Tally counts the imports of one directory as its log grows: each look costs what is new since the last one. When the log
// is another one, because a backup was restored, it counts from the beginning. The zero value is ready; it may be used
// concurrently.
type Tally struct {
	mu     sync.Mutex
	loaded bool
	saved  directory.Seq // as far as the record goes
	rev    int64         // of the record
	state  tallyState
	byName map[string]int
}

type tallyState struct {
	At    directory.Seq `json:"at"`           // the last change that is counted
	ID    string        `json:"id,omitempty"` // its ID: in another log it differs
	Infos []BatchInfo   `json:"batches"`      // oldest first
}

// Batches lists the imports, newest first.
func (t *Tally) Batches(ctx context.Context, d *directory.Directory) ([]BatchInfo, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.load(ctx, d.Store()); err != nil {
		return nil, fmt.Errorf("batches: %w", err)
	}
	for {
		from := max(t.state.At-1, 0) // the change before the new ones tells whether this is the same log
		changes, err := d.Changes(ctx, from, tallyPage)
		if err != nil {
			return nil, fmt.Errorf("batches: %w", err)
		}
		if t.state.At > 0 {
			if len(changes) == 0 || changes[0].Seq != t.state.At || changes[0].ID != t.state.ID {
				t.restart()
				continue
			}
			changes = changes[1:]
		}
		if len(changes) == 0 {
			break
		}
		for i := range changes {
			t.count(&changes[i])
		}
	}
	t.save(ctx, d.Store())
	out := slices.Clone(t.state.Infos)
	slices.Reverse(out)
	return out, nil
}

func (t *Tally) restart() { t.state, t.byName, t.saved = tallyState{}, nil, 0 }

// count takes a change.
func (t *Tally) count(c *directory.Change) {
	t.state.At, t.state.ID = c.Seq, c.ID
	if !byMachine(c) {
		return
	}
	if of, undo := strings.CutPrefix(c.Batch, undoBatch("")); undo {
		if k, known := t.byName[of]; known {
			t.state.Infos[k].Undone++
		}
		return
	}
	k, known := t.byName[c.Batch]
	if !known {
		if t.byName == nil {
			t.byName = map[string]int{}
		}
		k = len(t.state.Infos)
		t.byName[c.Batch] = k
		t.state.Infos = append(t.state.Infos, BatchInfo{Batch: c.Batch, Note: c.Note, First: c.Time})
	}
	b := &t.state.Infos[k]
	b.Last = c.Time
	if c.Op == directory.OpCreate {
		b.Created++
	} else {
		b.Updated++
	}
	if s := c.Entry.Source; s != nil && len(b.Sources) < 10 && !slices.Contains(b.Sources, s.Name) {
		b.Sources = append(b.Sources, s.Name)
	}
}

// load takes the record, once. One that cannot be read is counted anew.
func (t *Tally) load(ctx context.Context, store directory.Store) error {
	if t.loaded {
		return nil
	}
	rec, err := store.Record(ctx, kindTally, tallyKey)
	if err != nil {
		return err
	}
	t.loaded = true
	if rec.Rev == 0 {
		return nil
	}
	t.rev = rec.Rev
	var state tallyState
	if json.Unmarshal(rec.Value, &state) != nil || state.At < 0 {
		return nil
	}
	t.state, t.saved, t.byName = state, state.At, make(map[string]int, len(state.Infos))
	for k := range state.Infos {
		t.byName[state.Infos[k].Batch] = k
	}
	return nil
}

// save keeps the tally for the next start. When that fails, because another node was faster, the disk is full or there are
// too many imports for a record, the next start reads more of the log, and nothing else.
func (t *Tally) save(ctx context.Context, store directory.Store) {
	if t.state.At-t.saved < tallySave {
		return
	}
	value, err := json.Marshal(t.state)
	if err != nil || len(value) > directory.MaxRecordValue {
		return
	}
	t.saved = t.state.At
	rec := directory.Record{Key: tallyKey, Value: value, Rev: t.rev, Expires: time.Now().Add(tallyLife)}
	if store.PutRecord(ctx, kindTally, rec) == nil {
		t.rev++
		return
	}
	if stands, err := store.Record(ctx, kindTally, tallyKey); err == nil {
		t.rev = stands.Rev
	}
}
