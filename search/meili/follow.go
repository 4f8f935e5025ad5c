package meili

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/meilisearch/meilisearch-go"

	"archipel/directory"
	"archipel/search"
)

const batchSize = 1000

func (x *Index) index(uid string) meilisearch.IndexManager { return x.client.Index(uid) }

// await waits until a task has succeeded.
func (x *Index) await(ctx context.Context, what string, info *meilisearch.TaskInfo, err error) error {
	if err != nil {
		return fault(ctx, what, err)
	}
	ctx, cancel := context.WithTimeout(ctx, x.opt.TaskTimeout)
	defer cancel()
	task, err := x.client.WaitForTaskWithContext(ctx, info.TaskUID, x.opt.Poll)
	if err != nil {
		return fault(ctx, what, err)
	}
	if task.Status != meilisearch.TaskStatusSucceeded {
		// A task that failed changed nothing.
		return fmt.Errorf("meilisearch: %s: task %d %s: %s (%s): %w", what, info.TaskUID, task.Status, task.Error.Message, task.Error.Code, search.ErrUnavailable)
	}
	return nil
}

// readMark reads how far an index has come; errLost when it is missing, or not made by this version of the program.
func (x *Index) readMark(ctx context.Context, uid string) (mark, error) {
	var m marked
	if err := x.index(uid).GetDocumentWithContext(ctx, markID, nil, &m); err != nil {
		return mark{}, fault(ctx, "read how far the index has come", err)
	}
	if m.Mark.Format != format || m.Mark.Settings != x.version {
		return mark{}, fmt.Errorf("meilisearch: other settings: %w", errLost)
	}
	return m.Mark, nil
}

// apply writes documents, removes entries, and then records how far the index has come.
func (x *Index) apply(ctx context.Context, uid string, docs []search.Document, gone []directory.ID, m mark) error {
	if len(gone) > 0 {
		ids := make([]string, len(gone))
		for i, id := range gone {
			ids[i] = string(id)
		}
		info, err := x.index(uid).DeleteDocumentsWithContext(ctx, ids, nil)
		if err := x.await(ctx, "remove entries", info, err); err != nil {
			return err
		}
	}
	m.Format, m.Settings = format, x.version
	batch := make([]any, 0, len(docs)+1)
	for _, d := range docs {
		batch = append(batch, newRecord(d))
	}
	batch = append(batch, marked{markID, m})
	key := "id"
	info, err := x.index(uid).AddDocumentsWithContext(ctx, batch, &meilisearch.DocumentOptions{PrimaryKey: &key})
	return x.await(ctx, "write entries", info, err)
}

// Consume takes changes in order. What the index already has is left out; what it lacks before them is fetched first.
func (x *Index) Consume(ctx context.Context, changes []directory.Change) error {
	if len(changes) == 0 {
		return nil
	}
	if err := x.up(); err != nil {
		x.mu.Lock()
		x.behind = true
		x.mu.Unlock()
		return err
	}
	err := x.locked(ctx, func() error {
		m, err := x.readMark(ctx, x.opt.Index)
		if err != nil {
			return err
		}
		if gap := changes[0].Seq - 1; m.Seq < gap {
			if m, err = x.catchUp(ctx, x.opt.Index, m, gap); err != nil {
				return err
			}
		}
		m, err = x.consume(ctx, x.opt.Index, m, changes)
		if err == nil {
			x.reached(m)
		}
		return err
	})
	if err != nil && ctx.Err() == nil {
		x.mu.Lock()
		x.behind = true
		x.mu.Unlock()
		if errors.Is(err, search.ErrUnavailable) || errors.Is(err, errLost) {
			x.down(err)
		}
	}
	return err
}

func (x *Index) locked(ctx context.Context, fn func() error) error {
	select {
	case <-x.write:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { x.write <- struct{}{} }()
	return fn()
}

func (x *Index) reached(m mark) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.at = m.Seq
}

func (x *Index) consume(ctx context.Context, uid string, m mark, changes []directory.Change) (mark, error) {
	for len(changes) > 0 && changes[0].Seq <= m.Seq {
		changes = changes[1:]
	}
	if len(changes) == 0 {
		return m, nil
	}
	docs, gone := search.Latest(changes, &x.opt.Builder)
	last := changes[len(changes)-1]
	next := mark{Seq: last.Seq, Change: last.ID}
	return next, x.apply(ctx, uid, docs, gone, next)
}

// catchUp brings an index to at least upTo from the log.
func (x *Index) catchUp(ctx context.Context, uid string, m mark, upTo directory.Seq) (mark, error) {
	if x.opt.Source == nil && m.Seq < upTo {
		return m, fmt.Errorf("search index is at %d and has nowhere to read the changes up to %d", m.Seq, upTo)
	}
	for m.Seq < upTo {
		changes, err := x.opt.Source.Changes(ctx, m.Seq, batchSize)
		if err != nil {
			return m, fmt.Errorf("read the log: %w", err)
		}
		if len(changes) == 0 {
			return m, nil // the log is shorter than it was
		}
		if m, err = x.consume(ctx, uid, m, changes); err != nil {
			return m, err
		}
	}
	return m, nil
}

// Reindex builds a new index from the Source and swaps it with the one in use.
func (x *Index) Reindex(ctx context.Context) error {
	if x.closed.Load() {
		return errClosed
	}
	if x.opt.Source == nil {
		return errors.New("reindex: there is no source")
	}
	x.working.Store(true)
	defer x.working.Store(false)
	uid := x.opt.Index + "_" + strings.ToLower(rand.Text()[:8])
	if err := x.build(ctx, uid); err != nil {
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_, _ = x.client.DeleteIndexWithContext(clean, uid) // nobody uses it, and the next Reindex takes another name
		return fmt.Errorf("reindex: %w", err)
	}
	return nil
}

func (x *Index) build(ctx context.Context, uid string) error {
	start := x.opt.Now()
	if err := x.create(ctx, uid); err != nil {
		return err
	}
	head, err := x.opt.Source.Head(ctx)
	if err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	var docs []search.Document
	n := 0
	err = x.opt.Source.Scan(ctx, "", func(entries []directory.Entry) error {
		for i := range entries {
			if !entries[i].Shown() {
				continue
			}
			n++
			docs = append(docs, x.opt.Builder.Document(&entries[i]))
			if len(docs) == batchSize {
				if err := x.apply(ctx, uid, docs, nil, mark{}); err != nil {
					return err
				}
				docs = docs[:0]
			}
		}
		return ctx.Err()
	})
	if err != nil {
		return fmt.Errorf("read entries: %w", err)
	}
	m := mark{Seq: head}
	if m.Change, err = changeAt(ctx, x.opt.Source, head); err != nil {
		return err
	}
	if err := x.apply(ctx, uid, docs, nil, m); err != nil {
		return err
	}
	// Entries may have been read in a later state than head's; going on to where the log ends now makes them agree.
	return x.locked(ctx, func() error {
		if head, err = x.opt.Source.Head(ctx); err != nil {
			return fmt.Errorf("read the log: %w", err)
		}
		if m, err = x.catchUp(ctx, uid, m, head); err != nil {
			return err
		}
		if err := x.create(ctx, x.opt.Index); err != nil { // a swap needs two
			return err
		}
		info, err := x.client.SwapIndexesWithContext(ctx, []*meilisearch.SwapIndexesParams{{Indexes: []string{x.opt.Index, uid}}})
		if err := x.await(ctx, "swap indexes", info, err); err != nil {
			return err
		}
		info, err = x.client.DeleteIndexWithContext(ctx, uid)
		if err := x.await(ctx, "remove the old index", info, err); err != nil {
			x.opt.Log.Warn("the old index stays on the server", "uid", uid, "err", err)
		}
		x.reached(m)
		x.ready.Store(true)
		x.opt.Log.Info("search index built", "entries", n, "at", m.Seq, "took", x.opt.Now().Sub(start))
		return nil
	})
}

// create makes an index with our settings, unless there is one.
func (x *Index) create(ctx context.Context, uid string) error {
	if _, err := x.client.GetIndexWithContext(ctx, uid); err != nil {
		if err := fault(ctx, "look for the index", err); !errors.Is(err, errLost) {
			return err
		}
		info, err := x.client.CreateIndexWithContext(ctx, &meilisearch.IndexConfig{Uid: uid, PrimaryKey: "id"})
		if err := x.await(ctx, "create the index", info, err); err != nil {
			return err
		}
	}
	info, err := x.index(uid).UpdateSettingsWithContext(ctx, x.settings)
	return x.await(ctx, "apply settings", info, err)
}

func changeAt(ctx context.Context, src search.Source, at directory.Seq) (string, error) {
	if at == 0 {
		return "", nil
	}
	changes, err := src.Changes(ctx, at-1, 1)
	if err != nil {
		return "", fmt.Errorf("read the log: %w", err)
	}
	if len(changes) == 0 {
		return "", nil
	}
	return changes[0].ID, nil
}

// tend finds out when the server is back, when the index was lost on it, and brings it up to date.
func (x *Index) tend(ctx context.Context) {
	defer close(x.done)
	away := 20 * x.opt.Poll
	for ctx.Err() == nil {
		err := x.recover(ctx)
		wait := 10 * away
		if err != nil && ctx.Err() == nil {
			x.down(err)
			select { // that was us
			case <-x.kick:
			default:
			}
			wait = away
		}
		select {
		case <-ctx.Done():
		case <-x.kick:
			select { // do not storm a server that has just failed
			case <-ctx.Done():
			case <-time.After(away / 2):
			}
		case <-time.After(wait):
		}
	}
}

// recover checks the server and the index, and repairs what is wrong with the latter.
func (x *Index) recover(ctx context.Context) error {
	quick, cancel := context.WithTimeout(ctx, x.opt.Timeout)
	defer cancel()
	h, err := x.client.HealthWithContext(quick)
	if err != nil {
		return fault(quick, "health", err)
	}
	if h.Status != "available" {
		return fmt.Errorf("meilisearch: health is %q: %w", h.Status, search.ErrUnavailable)
	}
	m, err := x.readMark(quick, x.opt.Index)
	if err != nil && !errors.Is(err, errLost) {
		return err
	}
	lost := err != nil
	if x.opt.Source != nil {
		head, err := x.opt.Source.Head(ctx)
		if err != nil && !lost && x.ready.Load() {
			x.opt.Log.Warn("the log cannot be read, searching what is indexed", "err", err)
			x.answers()
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the log: %w", err)
		}
		if !lost {
			there, err := changeAt(ctx, x.opt.Source, min(m.Seq, head))
			if err != nil {
				return err
			}
			lost = m.Seq > head || m.Change != there // the log is not the one that was indexed
		}
		if lost {
			x.ready.Store(false)
			x.opt.Log.Info("building the search index", "uid", x.opt.Index, "head", head)
			if err := x.Reindex(ctx); err != nil {
				return err
			}
		} else if err := x.resume(ctx, head); err != nil {
			return err
		}
	} else if lost {
		if err := x.create(ctx, x.opt.Index); err != nil {
			return err
		}
		if err := x.apply(ctx, x.opt.Index, nil, nil, mark{}); err != nil {
			return err
		}
	}
	stats, err := x.index(x.opt.Index).GetStatsWithContext(ctx, nil)
	if err != nil {
		return fault(ctx, "stats", err)
	}
	x.mu.Lock()
	x.entries = max(0, int(stats.NumberOfDocuments)-1)
	x.mu.Unlock()
	x.answers()
	return nil
}

// answers notes that the server answers as it should.
func (x *Index) answers() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.failure != nil {
		x.opt.Log.Info("meilisearch answers again")
	}
	x.failure = nil
	x.slow.Store(0)
	x.ready.Store(true)
}

// resume writes what this process, or the one before it, could not write. Another process that shares the index may
// be writing: only one that was held up, or has just started, does this.
func (x *Index) resume(ctx context.Context, head directory.Seq) error {
	x.mu.Lock()
	mine := x.behind || !x.ready.Load()
	x.mu.Unlock()
	return x.locked(ctx, func() error {
		m, err := x.readMark(ctx, x.opt.Index)
		if err != nil {
			return err
		}
		if mine {
			if m, err = x.catchUp(ctx, x.opt.Index, m, head); err != nil {
				return err
			}
			x.mu.Lock()
			x.behind = false
			x.mu.Unlock()
		}
		x.reached(m)
		return nil
	})
}
