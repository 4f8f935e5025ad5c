package directory

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// Write is a request to change entries: those without an ID are created; those with one are updated, and their Version
// must be the one that the editor read.
type Write struct {
	Author  string
	Op      Op     // empty: create, update or remove, as the entries tell
	Batch   string // the import they belong to
	Note    string
	Entries []Entry
}

// Result says what became of one entry of a [Write].
type Result string

// Results.
const (
	Created   Result = "created"
	Updated   Result = "updated"
	Unchanged Result = "unchanged"
	Failed    Result = "failed"
)

// Outcome is what became of one entry of a [Write], in the same place.
type Outcome struct {
	Entry  Entry // as it stands now, or as it was sent when Result is Failed
	Result Result
	Err    error // Invalid, *ConflictError, or ErrNotFound
}

// maxAppend is how many changes go to the store in one call.
const maxAppend = 500

// Write validates and writes. An entry that is refused has its reason in its Outcome and does not stop the others;
// the error is about the store, and then the Outcomes say which entries stand all the same.
func (d *Directory) Write(ctx context.Context, w Write) ([]Outcome, error) {
	outcomes := make([]Outcome, len(w.Entries))
	d.mu.Lock()
	defer d.mu.Unlock()
	for from := 0; from < len(w.Entries); from += maxAppend {
		to := min(from+maxAppend, len(w.Entries))
		if err := d.writeChunk(ctx, &w, w.Entries[from:to], outcomes[from:to]); err != nil {
			for i := range outcomes {
				if outcomes[i].Result == "" {
					outcomes[i] = Outcome{Entry: w.Entries[i], Result: Failed, Err: err}
				}
			}
			return outcomes, err
		}
	}
	return outcomes, nil
}

// Put writes one entry; see [Directory.Write]. It returns the entry as it stands.
func (d *Directory) Put(ctx context.Context, author string, e Entry) (Entry, error) {
	outcomes, err := d.Write(ctx, Write{Author: author, Entries: []Entry{e}})
	if err != nil {
		return Entry{}, err
	}
	return outcomes[0].Entry, outcomes[0].Err
}

// Revert makes an entry again what it was after the change to, as a new change. base is the version the editor read.
func (d *Directory) Revert(ctx context.Context, author string, id ID, to, base Seq, note string) (Entry, error) {
	past, err := d.At(ctx, id, to)
	if err != nil {
		return Entry{}, err
	}
	if past.Redacted {
		return Entry{}, fmt.Errorf("version %d of entry %s was erased: %w", to, id, ErrGone)
	}
	e := past.Entry
	e.Version = base
	outcomes, err := d.Write(ctx, Write{Author: author, Op: OpRevert, Note: note, Entries: []Entry{e}})
	if err != nil {
		return Entry{}, err
	}
	return outcomes[0].Entry, outcomes[0].Err
}

// Redact removes an entry and erases the content of its whole history, for good. The changes keep their numbers. The last one
// stays as it is written here: blank, and without a word of why.
func (d *Directory) Redact(ctx context.Context, author string, id ID) error {
	current, err := d.Entry(ctx, id)
	if err != nil {
		return err
	}
	if err := d.retireHandle(ctx, &current); err != nil {
		return fmt.Errorf("keep the handle of entry %s: %w", id, err)
	}
	blank := Entry{ID: id, Kind: current.Kind, Origin: current.Origin, Status: Removed, Version: current.Version}
	outcomes, err := d.Write(ctx, Write{Author: author, Op: OpRedact, Entries: []Entry{blank}})
	if err != nil {
		return err
	}
	if outcomes[0].Err != nil {
		return outcomes[0].Err
	}
	// The follower does it too, should this process die here.
	_, err = d.store.Redact(ctx, id, outcomes[0].Entry.Version-1)
	return err
}

// writeChunk writes until every entry of the chunk has its outcome. The caller holds mu.
func (d *Directory) writeChunk(ctx context.Context, w *Write, entries []Entry, outcomes []Outcome) error {
	for attempt := 0; ; attempt++ {
		changes, places, err := d.prepare(ctx, w, entries, outcomes)
		if err != nil || len(changes) == 0 {
			return err
		}
		stands, err := d.store.Append(ctx, d.head, changes)
		if stands > 0 {
			taken := make([]Entry, stands)
			for i := range taken {
				taken[i] = changes[i].Entry
				result := Updated
				if changes[i].Op == OpCreate {
					result = Created
				}
				outcomes[places[i]] = Outcome{Entry: changes[i].Entry, Result: result}
			}
			d.take(taken)
			d.moveHead(changes[stands-1].Seq)
		}
		switch {
		case err == nil && stands == len(changes):
			return nil
		case err == nil:
			// cut short by a faster writer
		case !errors.Is(err, ErrStale):
			return fmt.Errorf("write: %w", err)
		}
		if attempt > 0 {
			if err := pause(ctx, rand.N(time.Duration(min(attempt, 20))*5*time.Millisecond)); err != nil {
				return err
			}
		}
		if err := d.catchUp(ctx); err != nil {
			return fmt.Errorf("catch up: %w", err)
		}
	}
}

// prepare turns the entries without an outcome into changes that follow the head, checked against the directory as it
// stands there; places are their indexes.
func (d *Directory) prepare(ctx context.Context, w *Write, entries []Entry, outcomes []Outcome) (changes []Change, places []int, err error) {
	current, err := d.current(ctx, entries, outcomes)
	if err != nil {
		return nil, nil, err
	}
	rules, now := d.rules(), d.now().UTC().Truncate(time.Millisecond)
	slugs, sources, handles := map[string]ID{}, map[string]ID{}, map[string]ID{} // taken by this chunk
	seq := d.head
	for i := range entries {
		if outcomes[i].Result != "" {
			continue
		}
		e := entries[i].Clone()
		if e.ID == "" {
			e.ID = NewID()
		}
		was, exists := current[e.ID]
		op, refused := d.settle(&e, was, exists, w, now)
		if rules.Current != nil {
			for k, id := range e.Categories {
				e.Categories[k] = rules.Current(id)
			}
			e.Categories = dropRepeated(e.Categories)
		}
		if refused == nil && op != OpRedact {
			refused = d.nameAddress(&e, was, slugs)
		}
		if refused == nil {
			refused = d.checkSource(&e, sources, w)
		}
		if refused == nil {
			refused = d.checkMerged(&e, was, current)
		}
		if refused == nil && op != OpRedact {
			refused = d.keepHandle(ctx, &e, was, handles)
			if errors.Is(refused, ErrUnavailable) {
				return nil, nil, refused
			}
		}
		if refused == nil {
			refused = Validate(sameHours(&e, was, op), rules.Keeping(was))
		}
		if refused != nil {
			outcomes[i] = Outcome{Entry: entries[i], Result: Failed, Err: refused}
			continue
		}
		if exists && same(&e, was) {
			outcomes[i] = Outcome{Entry: *was, Result: Unchanged}
			continue
		}
		seq++
		e.Version = seq
		if e.Origin == "" && op != OpTwin || e.Updated.IsZero() || e.Updated.After(now) { // the origin says when it changed what it owns
			e.Updated = now
		}
		slugs[e.Slug], sources[e.Source.Key()] = e.ID, e.ID
		if e.Fediverse != nil && e.Origin == "" {
			handles[e.Fediverse.Handle] = e.ID
		}
		changes = append(changes, Change{
			Seq: seq, ID: uuid.NewString(), Time: now, Author: w.Author, Op: op, Batch: w.Batch, Note: w.Note, Entry: e,
		})
		places = append(places, i)
		current[e.ID] = &changes[len(changes)-1].Entry
	}
	return changes, places, nil
}

// current reads the entries that are about to be updated, as the store has them.
func (d *Directory) current(ctx context.Context, entries []Entry, outcomes []Outcome) (map[ID]*Entry, error) {
	var ids []ID
	for i := range entries {
		if outcomes[i].Result != "" || entries[i].ID == "" {
			continue
		}
		if _, known := d.reg.find(entries[i].ID); known {
			ids = append(ids, entries[i].ID)
		}
	}
	current := make(map[ID]*Entry, len(ids))
	found, err := d.Entries(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("read before writing: %w", err)
	}
	for i := range found {
		current[found[i].ID] = &found[i]
	}
	return current, nil
}

// settle fills in what the directory decides, and refuses an editor who has not seen the version that stands.
func (d *Directory) settle(e, was *Entry, exists bool, w *Write, now time.Time) (Op, error) {
	if w.Op != OpRedact {
		Normalize(e)
	}
	if e.Status == "" {
		e.Status = Published
	}
	if !exists {
		if e.Version != 0 {
			return "", fmt.Errorf("entry %s: %w", e.ID, ErrNotFound)
		}
		if e.Created.IsZero() {
			e.Created = now
		}
		if e.Origin == "" {
			e.Claimed = time.Time{} // nobody has proved anything yet
			e.Fediverse = nil
		}
		return OpCreate, nil
	}
	if e.Version != was.Version {
		return "", &ConflictError{Mine: *e, Theirs: *was}
	}
	if e.Origin != was.Origin && w.Op != OpRedact {
		return "", Invalid{{Field: "origin", Code: CodeImmutable}}
	}
	e.Created = was.Created
	if w.Op != OpTwin && w.Op != OpRedact {
		e.keepTwin(was)
	}
	if e.Origin == "" && w.Op != OpTeam && w.Op != OpRedact {
		if !isMerge(w.Batch) { // who comes with a merge has proved it of the other
			e.Claimed = was.Claimed
		}
		e.Fediverse = was.Fediverse.clone()
	}
	op := w.Op
	switch {
	case op != "":
	case e.Status == Removed && was.Status != Removed:
		op = OpRemove
	default:
		op = OpUpdate
	}
	return op, nil
}

// keepTwin lets e have the twin that it had, whatever its writer knows of that.
func (e *Entry) keepTwin(was *Entry) {
	var twin ID
	if was.Private != nil {
		twin = was.Private.Twin
	}
	if e.Private == nil && twin == "" || e.Private != nil && e.Private.Twin == twin {
		return
	}
	p := Private{}
	if e.Private != nil {
		p = *e.Private
	}
	p.Twin = twin
	e.Private = &p
}

// nameAddress gives e the slug it asks for, keeps the one it has, or makes one from its name; a former slug stays an
// alias, so that addresses go on working.
func (d *Directory) nameAddress(e, was *Entry, taken map[string]ID) error {
	free := func(slug string) bool {
		if id, ok := taken[slug]; ok && id != e.ID {
			return false
		}
		id, ok := d.reg.slug(slug)
		return !ok || id == e.ID
	}
	if was != nil {
		if e.Slug == "" {
			e.Slug = was.Slug
		}
		for _, alias := range was.Aliases {
			if alias != e.Slug && !slices.Contains(e.Aliases, alias) {
				e.Aliases = append(e.Aliases, alias)
			}
		}
		if was.Slug != "" && was.Slug != e.Slug && !slices.Contains(e.Aliases, was.Slug) {
			e.Aliases = append(e.Aliases, was.Slug)
		}
		if n := len(e.Aliases) - MaxList; n > 0 {
			e.Aliases = e.Aliases[n:]
		}
		if e.Slug == was.Slug && e.Slug != "" {
			return nil
		}
	}
	if e.Slug != "" {
		if !free(e.Slug) {
			return Invalid{{Field: "slug", Code: CodeTaken, Params: map[string]any{"value": e.Slug}}}
		}
		return nil
	}
	base := Slugify(e.Name)
	if base == "" {
		base = string(e.Kind)
	}
	if base == "" {
		base = "entry"
	}
	if free(base) {
		e.Slug = base
		return nil
	}
	if town := Slugify(e.Town()); town != "" && len(base)+1+len(town) <= maxSlug+10 && free(base+"-"+town) {
		e.Slug = base + "-" + town
		return nil
	}
	for n := 2; n < 20; n++ {
		if slug := base + "-" + strconv.Itoa(n); free(slug) {
			e.Slug = slug
			return nil
		}
	}
	// Many of one name: the tail of the ID tells them apart without trying them all.
	tail := string(e.ID)
	e.Slug = base + "-" + tail[len(tail)-8:]
	if !free(e.Slug) {
		e.Slug = base + "-" + tail[len(tail)-12:]
	}
	return nil
}

// checkSource refuses a second entry of ours for one record of a source, which two imports at once would make.
func (d *Directory) checkSource(e *Entry, taken map[string]ID, w *Write) error {
	key := e.Source.Key()
	if key == "" || e.Origin != "" || e.Status == Removed || isMerge(w.Batch) {
		return nil
	}
	holder, ok := taken[key]
	if !ok {
		if holder, ok = d.reg.source(key); ok {
			r, _ := d.reg.find(holder)
			ok = r.status != Removed
		}
	}
	if ok && holder != e.ID {
		return Invalid{{Field: "source.externalId", Code: CodeTaken, Params: map[string]any{"value": e.Source.ExternalID}}}
	}
	return nil
}

// checkMerged keeps what names another entry as the one in which it lives on from leading nowhere, or in a circle: only a
// removed entry does, and when it begins to, the other one stands.
func (d *Directory) checkMerged(e, was *Entry, chunk map[ID]*Entry) error {
	if e.Status != Removed {
		e.MergedInto = ""
	}
	if e.MergedInto == "" || e.Origin != "" || was != nil && was.MergedInto == e.MergedInto {
		return nil
	}
	status := Removed
	if into, ok := chunk[e.MergedInto]; ok {
		status = into.Status
	} else if r, ok := d.reg.find(e.MergedInto); ok {
		status = r.status
	}
	if status == Removed || e.MergedInto == e.ID {
		return Invalid{{Field: "mergedInto", Code: CodeUnknown, Params: map[string]any{"value": string(e.MergedInto)}}}
	}
	return nil
}

// same reports whether two states of an entry differ in nothing but their version and time.
func same(a, b *Entry) bool {
	x, y := *a, *b
	x.Version, x.Updated = y.Version, y.Updated
	xb, errX := EncodeStored(&x)
	yb, errY := EncodeStored(&y)
	return errX == nil && errY == nil && bytes.Equal(xb, yb)
}

// Clone returns a copy that shares nothing changeable with e.
func (e *Entry) Clone() Entry {
	c := *e
	c.Aliases = slices.Clone(e.Aliases)
	c.Translations = cloneMap(e.Translations)
	c.Categories = slices.Clone(e.Categories)
	c.Tags = slices.Clone(e.Tags)
	c.Sites = slices.Clone(e.Sites)
	c.Area = clonePointer(e.Area)
	if c.Area != nil {
		c.Area.Zones = slices.Clone(c.Area.Zones)
	}
	c.Address = clonePointer(e.Address)
	c.Contact = clonePointer(e.Contact)
	c.Links = slices.Clone(e.Links)
	c.Images = slices.Clone(e.Images)
	c.Accessibility = cloneMap(e.Accessibility)
	c.Identifiers = cloneMap(e.Identifiers)
	c.Extra = cloneMap(e.Extra)
	c.Event = clonePointer(e.Event)
	if v := c.Event; v != nil {
		v.ExDates, v.RDates = slices.Clone(v.ExDates), slices.Clone(v.RDates)
		v.Overrides, v.Languages = slices.Clone(v.Overrides), slices.Clone(v.Languages)
	}
	c.Relations = slices.Clone(e.Relations)
	c.Source = clonePointer(e.Source)
	c.Fediverse = e.Fediverse.clone()
	c.Private = clonePointer(e.Private)
	if p := c.Private; p != nil {
		p.Owners, p.Editors, p.Mirror = slices.Clone(p.Owners), slices.Clone(p.Editors), p.Mirror.clone()
	}
	return c
}

func clonePointer[T any](p *T) *T {
	if p == nil {
		return nil
	}
	c := *p
	return &c
}

func cloneMap[V any](m map[string]V) map[string]V {
	if m == nil {
		return nil
	}
	c := make(map[string]V, len(m))
	for k, v := range m {
		c[k] = v
	}
	return c
}
