// Package searchtest holds implementations of [search.Index] to the promises of that interface.
package searchtest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"archipel/directory"
)

// Log is a log of changes in memory, a [search.Source]. Its zero value is empty.
type Log struct {
	mu      sync.Mutex
	changes []directory.Change
	entries map[directory.ID]directory.Entry
	salt    string
	broken  error
}

// NewLog returns an empty log that differs from every log with another salt.
func NewLog(salt string) *Log { return &Log{salt: salt} }

// Break makes every method of a source fail, until Break(nil).
func (l *Log) Break(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = err
}

// Put appends the states of entries and returns the changes.
func (l *Log) Put(entries ...directory.Entry) []directory.Change {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.entries == nil {
		l.entries = map[directory.ID]directory.Entry{}
	}
	from := len(l.changes)
	for _, e := range entries {
		seq := directory.Seq(len(l.changes) + 1)
		e.Version = seq
		l.changes = append(l.changes, directory.Change{
			Seq: seq, ID: fmt.Sprintf("%s-%d", l.salt, seq), Time: time.Unix(1_700_000_000, 0).Add(time.Duration(seq) * time.Second), Op: directory.OpUpdate, Entry: e,
		})
		l.entries[e.ID] = e
	}
	return slices.Clone(l.changes[from:])
}

// Head returns the Seq of the newest change.
func (l *Log) Head(ctx context.Context) (directory.Seq, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken != nil {
		return 0, l.broken
	}
	return directory.Seq(len(l.changes)), ctx.Err()
}

// Changes returns changes with Seq > after.
func (l *Log) Changes(ctx context.Context, after directory.Seq, limit int) ([]directory.Change, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken != nil {
		return nil, l.broken
	}
	if int(after) >= len(l.changes) {
		return nil, ctx.Err()
	}
	return slices.Clone(l.changes[after:min(len(l.changes), int(after)+limit)]), ctx.Err()
}

// Scan calls fn with the entries as they stand, by ascending id.
func (l *Log) Scan(ctx context.Context, after directory.ID, fn func([]directory.Entry) error) error {
	l.mu.Lock()
	if l.broken != nil {
		defer l.mu.Unlock()
		return l.broken
	}
	var all []directory.Entry
	for id, e := range l.entries {
		if id > after {
			all = append(all, e)
		}
	}
	l.mu.Unlock()
	slices.SortFunc(all, func(a, b directory.Entry) int { return strings.Compare(string(a.ID), string(b.ID)) })
	for part := range slices.Chunk(all, 300) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := fn(part); err != nil {
			return err
		}
	}
	return nil
}
