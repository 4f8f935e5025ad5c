package api

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"archipel/directory"
)

// Waiting is a [directory.View] of the entries that wait for moderation, and of what the page of the directory's health
// counts. The zero value is ready.
type Waiting struct {
	mu      sync.RWMutex
	pending map[directory.ID]directory.Seq // with the version that waits
	sent    []directory.ID                 // those, by that version; nil: to be sorted
	placed  map[directory.ID]vital         // of public entries of ours
	hidden  map[directory.ID]bool          // of ours

	imported map[directory.ID]bool // public, from a source, and nobody keeps it or has looked at it
	inOrder  []directory.ID        // those, sorted; nil: to be sorted
}

// vital is what is counted of a public entry.
type vital struct {
	nowhere bool // neither a position nor an area
	event   bool
	seen    time.Time // checked, or else changed
}

// Apply implements [directory.View].
func (w *Waiting) Apply(entries []directory.Entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.pending == nil {
		w.pending, w.placed, w.hidden = map[directory.ID]directory.Seq{}, map[directory.ID]vital{}, map[directory.ID]bool{}
		w.imported = map[directory.ID]bool{}
	}
	for i := range entries {
		e := &entries[i]
		if _, waited := w.pending[e.ID]; waited {
			delete(w.pending, e.ID)
			w.sent = nil
		}
		delete(w.placed, e.ID)
		delete(w.hidden, e.ID)
		if was, is := w.imported[e.ID], unclaimedImport(e); is && !was {
			w.imported[e.ID], w.inOrder = true, nil
		} else if was && !is {
			delete(w.imported, e.ID)
			w.inOrder = nil
		}
		switch {
		case e.Origin != "":
		case e.Status == directory.Pending:
			w.pending[e.ID], w.sent = e.Version, nil
		case e.Status == directory.Hidden:
			w.hidden[e.ID] = true
		case e.Public():
			v := vital{nowhere: len(e.Sites) == 0 && e.Area == nil, event: e.Kind == directory.Event, seen: e.Checked}
			if v.seen.IsZero() {
				v.seen = e.Updated
			}
			w.placed[e.ID] = v
		}
	}
}

// Pending lists the entries that wait, those that were sent first at the beginning.
func (w *Waiting) Pending() []directory.ID {
	w.mu.RLock()
	defer w.mu.RUnlock()
	ids := make([]directory.ID, 0, len(w.pending))
	for id := range w.pending {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b directory.ID) int { return int(w.pending[a] - w.pending[b]) })
	return ids
}

// pendingAfter lists up to limit of the entries that wait in a version after the given one, those that were sent first at the
// beginning; last is the version of the last of them, and total how many wait altogether.
func (w *Waiting) pendingAfter(past directory.Seq, limit int) (ids []directory.ID, last directory.Seq, more bool, total int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.sent == nil {
		w.sent = slices.SortedFunc(maps.Keys(w.pending), func(a, b directory.ID) int { return cmp.Compare(w.pending[a], w.pending[b]) })
	}
	from, _ := slices.BinarySearchFunc(w.sent, past+1, func(id directory.ID, at directory.Seq) int { return cmp.Compare(w.pending[id], at) })
	to := min(from+limit, len(w.sent))
	if from < to {
		last = w.pending[w.sent[to-1]]
	}
	return slices.Clone(w.sent[from:to]), last, to < len(w.sent), len(w.sent)
}

// Health counts the public entries of ours that are nowhere on the map, and those that nobody looked at since a moment.
func (w *Waiting) Health(since time.Time) (nowhere, stale int) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	for _, v := range w.placed {
		if v.event {
			continue
		}
		if v.nowhere {
			nowhere++
		}
		if v.seen.Before(since) {
			stale++
		}
	}
	return nowhere, stale
}

// Unseen lists the public entries of ours that nobody confirmed or changed since a moment, those that wait longest first.
func (w *Waiting) Unseen(before time.Time) (ids []directory.ID) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	for id, v := range w.placed {
		if v.seen.Before(before) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b directory.ID) int {
		return cmp.Or(w.placed[a].seen.Compare(w.placed[b].seen), cmp.Compare(a, b))
	})
	return ids
}

// Hidden lists the entries of ours that are hidden, the newest first.
func (w *Waiting) Hidden() (ids []directory.ID) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	for id := range w.hidden {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b directory.ID) int { return cmp.Compare(b, a) })
	return ids
}

// story is what the log tells of an entry that waits.
type story struct {
	base     *directory.Entry // what was public last; nil when it never was
	since    time.Time        // when it was sent
	author   string           // who sent it
	asked    *directory.Change
	answered bool // something changed after the question
}

// storyOf reads the history of a waiting entry, the newest change first.
func storyOf(changes []directory.Change) (st story) {
	run := 0
	for run < len(changes) && changes[run].Entry.Status == directory.Pending && !changes[run].Redacted {
		run++
	}
	if run > 0 {
		sent := &changes[run-1]
		st.since, st.author = sent.Time, sent.Author
		for i := range run - 1 {
			if isQuestion(&changes[i], &changes[i+1].Entry, st.author) {
				st.asked, st.answered = &changes[i], i > 0
				break
			}
		}
	}
	for i := run; i < len(changes); i++ {
		if ch := &changes[i]; !ch.Redacted && ch.Entry.Public() {
			st.base = &ch.Entry
			break
		}
	}
	return st
}

// isQuestion tells the question of a moderator from a change of the author's: somebody else, with words, and nothing of the
// public form is different.
func isQuestion(ch *directory.Change, before *directory.Entry, author string) bool {
	return ch.Author != author && ch.Note != "" && ch.Entry.Status == directory.Pending && before.Status == directory.Pending && len(directory.Diff(before, &ch.Entry)) == 0
}
