package islands

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"archipel/directory"
	"archipel/federation"
	"archipel/federation/vocab"
)

const (
	tombstonesKept = 180 * 24 * time.Hour // whoever was away for longer begins anew
	pageBytes      = 600 << 10            // of a page, before it is compressed
	pageItems      = 400
	pageStep       = 100    // changes that are looked at together
	pageChanges    = 20_000 // of the log, at most, for one page
	maxAskedFor    = 50     // objects of one request
)

// sender decides what an island gets.
type sender struct {
	s        *Service
	a        *Agreement
	licences []string
}

func (s *Service) sender(ctx context.Context, a *Agreement) (*sender, error) {
	set, err := LoadSettings(ctx, s.store)
	return &sender{s, a, set.Licences}, err
}

// shows reports whether an island gets an entry in that state: it is public, its licence lets it be passed on, and it is in
// the scope of the agreement. What belongs to others is passed on only when it came from its origin itself, which agreed to
// that: so nothing goes round in circles, and nothing lives on that its origin withdrew.
func (d *sender) shows(e *directory.Entry) bool {
	if !e.Public() || !slices.Contains(d.licences, d.s.licence(e)) {
		return false
	}
	c := &candidate{Entry: e, words: d.s.wordsOf(e), zoneOf: d.s.Zones}
	if e.Origin == "" {
		return d.a.Out.holds(c)
	}
	if e.Origin == d.a.Host || !d.a.Out.Asked.Others || !d.a.Out.Agreed.Others || e.Private == nil || e.Private.Mirror == nil {
		return false
	}
	m := e.Private.Mirror
	from := d.s.cache.get(e.Origin)
	return m.Raw != "" && slices.Contains(m.Via, e.Origin) && from != nil && from.In.Active() && from.In.PassOn && d.a.Out.holds(c)
}

// mayHaveShown is shows, but for what may have been decided otherwise then: licences, and the agreements with third islands.
func (d *sender) mayHaveShown(e *directory.Entry) bool {
	if !e.Public() || e.Origin == d.a.Host || e.Origin != "" && !d.a.Out.Asked.Others {
		return false
	}
	return d.a.Out.holds(&candidate{Entry: e, words: d.s.wordsOf(e), zoneOf: d.s.Zones})
}

// neverShown reports, from the change alone, that an island was told nothing of its entry before: it begins here, or belongs
// to others, which this island does not ask for. The log of a directory that follows many is full of such changes.
func (d *sender) neverShown(c *directory.Change) bool {
	return c.Op == directory.OpCreate || c.Entry.Origin == d.a.Host || c.Entry.Origin != "" && !d.a.Out.Asked.Others
}

// showed reports whether an island may have been told of an entry after the change since and before the change before.
func (d *sender) showed(ctx context.Context, id directory.ID, since, before directory.Seq) (bool, error) {
	for {
		changes, err := d.s.Directory.History(ctx, id, before, 20)
		if err != nil || len(changes) == 0 {
			return false, err
		}
		for i := range changes {
			c := &changes[i]
			if c.Redacted && c.Entry.Status == directory.Published || !c.Redacted && d.mayHaveShown(&c.Entry) {
				return true, nil
			}
			if c.Seq <= since {
				return false, nil
			}
		}
		before = changes[len(changes)-1].Seq
	}
}

// word is what an island is told of an entry that it gets.
func (d *sender) say(e *directory.Entry) (json.RawMessage, error) {
	if e.Origin == "" {
		return d.s.activity(e)
	}
	doc, err := unpack(e.Private.Mirror.Raw)
	if err != nil {
		return nil, err
	}
	return encode(doc)
}

// unsay is what an island is told of an entry that it does not get any more.
func (d *sender) unsay(e *directory.Entry) (json.RawMessage, error) {
	if e.Origin == "" && !e.Public() {
		return d.s.activity(e)
	}
	return encode(map[string]any{
		"@context": vocab.Context, "id": d.s.mirrorID() + "#remove/" + string(e.ID) + "/" + strconv.FormatInt(int64(e.Version), 10), "type": "Remove",
		"actor": d.s.mirrorID(), "object": d.s.addressOf(e), "target": d.s.base + "/mirror/changes",
	})
}

// addressOf is the address of an entry where it belongs.
func (s *Service) addressOf(e *directory.Entry) string {
	host, id := s.host, e.ID
	if e.Origin != "" {
		host = e.Origin
		if e.Private != nil && e.Private.Mirror != nil && e.Private.Mirror.ID != "" {
			id = e.Private.Mirror.ID
		}
	}
	return s.scheme + "://" + host + "/id/" + string(id)
}

// peerOf is the agreement of who asks, with whom one stands that lets it read; nil after it was answered.
func (s *Service) peerOf(w http.ResponseWriter, r *http.Request) *sender {
	actor, code, why := s.Network.Authenticate(r)
	if code != 0 {
		if code == http.StatusTooManyRequests || code == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", "30")
		}
		federation.Refuse(w, code, why)
		return nil
	}
	a := s.cache.get(vocab.Host(actor))
	if a == nil || a.Actor != actor || !a.Out.Active() {
		federation.Refuse(w, http.StatusForbidden, "there is no agreement")
		return nil
	}
	s.revive(r.Context(), a.Host)
	d, err := s.sender(r.Context(), a)
	if err != nil {
		s.fail(w, err)
		return nil
	}
	return d
}

// page is what changed, in the form in which it is sent and read.
type page struct {
	Context any               `json:"@context"`
	ID      string            `json:"id"`
	Type    string            `json:"type"`
	PartOf  string            `json:"partOf"`
	Items   []json.RawMessage `json:"orderedItems"`
	Cursor  string            `json:"cursor"`         // where to go on
	More    bool              `json:"more,omitempty"` // there is more now
	Next    string            `json:"next,omitempty"`
}

// changes answers with what changed after a cursor, ascending: the latest state of each object once. Without a cursor it is
// everything that stands.
func (s *Service) changes(w http.ResponseWriter, r *http.Request) {
	d := s.peerOf(w, r)
	if d == nil {
		return
	}
	ctx := r.Context()
	query := r.URL.Query()
	since, anew := directory.Seq(0), query.Get("snapshot") != ""
	lost, err := s.lost(ctx, query.Get("seen"))
	if err != nil {
		s.fail(w, err)
		return
	}
	if lost {
		federation.Refuse(w, http.StatusGone, "seen: begin anew, without it")
		return
	}
	if after := query.Get("after"); after != "" {
		at, ok, err := s.resolve(ctx, after)
		if err != nil {
			s.fail(w, err)
			return
		}
		if !ok {
			federation.Refuse(w, http.StatusGone, "after: begin anew, without it")
			return
		}
		since = at
	} else {
		anew = true
	}
	p := page{Context: mirrorContext(), ID: s.base + r.URL.RequestURI(), Type: "OrderedCollectionPage", PartOf: s.base + "/mirror/changes", Items: []json.RawMessage{}}
	if err := d.fill(ctx, &p, since, anew); err != nil {
		s.fail(w, err)
		return
	}
	if p.More {
		p.Next = p.PartOf + "?after=" + url.QueryEscape(p.Cursor)
		if anew {
			p.Next += "&snapshot=1"
		}
	}
	s.answerPacked(w, r, typeActivity, p)
}

// fill puts what changed after since on a page, until that is full.
func (d *sender) fill(ctx context.Context, p *page, since directory.Seq, anew bool) error {
	at, mark, size, began := since, "", 0, time.Now()
	for looked := 0; ; {
		changes, err := d.s.Directory.Changes(ctx, at, pageStep)
		if err != nil {
			return err
		}
		if len(changes) == 0 {
			break
		}
		items, err := d.items(ctx, changes, since, anew)
		if err != nil {
			return err
		}
		for i := range changes {
			if items[i] != nil {
				if size > 0 && size+len(items[i]) > pageBytes || len(p.Items) >= pageItems {
					p.More = true
					break
				}
				size += len(items[i])
				p.Items = append(p.Items, items[i])
			}
			at, mark = changes[i].Seq, changes[i].ID
		}
		if looked += len(changes); !p.More && (looked >= pageChanges || time.Since(began) > 4*time.Second) {
			p.More = true
		}
		if p.More {
			break
		}
	}
	var err error
	if mark == "" {
		p.Cursor, err = d.s.tokenAt(ctx, at)
	} else {
		p.Cursor = d.s.token(at, mark)
	}
	return err
}

// items are what is to be said of each of the changes; nil where there is nothing, or a later change says it.
func (d *sender) items(ctx context.Context, changes []directory.Change, since directory.Seq, anew bool) ([]json.RawMessage, error) {
	items, errs := make([]json.RawMessage, len(changes)), make([]error, len(changes))
	var wg sync.WaitGroup
	const workers = 2
	for w := range workers {
		wg.Go(func() {
			for i := w; i < len(changes); i += workers {
				e := &changes[i].Entry
				if stands, known := d.s.Directory.Version(e.ID); known && stands > changes[i].Seq {
					continue // a later change says it
				}
				if d.shows(e) {
					if items[i], errs[i] = d.say(e); errors.Is(errs[i], directory.ErrCorrupt) {
						d.s.Log.Error("islands: an entry cannot be passed on", "entry", e.ID, "err", errs[i])
						items[i], errs[i] = nil, nil
					}
					continue
				}
				if anew || d.neverShown(&changes[i]) || d.s.Now().Sub(changes[i].Time) > tombstonesKept {
					continue
				}
				showed, err := d.showed(ctx, e.ID, since, changes[i].Seq)
				if errs[i] = err; err == nil && showed {
					items[i], errs[i] = d.unsay(e)
				}
			}
		})
	}
	wg.Wait()
	return items, errors.Join(errs...)
}

// answerPacked writes a long document, compressed for who can read that.
func (s *Service) answerPacked(w http.ResponseWriter, r *http.Request, contentType string, doc any) {
	b, err := encode(doc)
	if err != nil {
		s.fail(w, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "private, no-store")
	h.Set("Vary", "Accept, Accept-Encoding, Signature")
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		var packed bytes.Buffer
		z, err := gzip.NewWriterLevel(&packed, 3)
		if err == nil {
			_, err = z.Write(b)
		}
		if err == nil {
			err = z.Close()
		}
		if err != nil {
			s.fail(w, err)
			return
		}
		h.Set("Content-Encoding", "gzip")
		b = packed.Bytes()
	}
	_, _ = w.Write(b) // a reader that left has nothing to be told
}

// fail answers for an error of ours.
func (s *Service) fail(w http.ResponseWriter, err error) {
	code := http.StatusInternalServerError
	if errors.Is(err, directory.ErrUnavailable) {
		code = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "60")
	}
	s.Log.Error("islands: a request failed", "err", err)
	federation.Refuse(w, code, "try again later")
}

// objects answers with the states of single objects: the last question of two directories that compare what they have.
func (s *Service) objects(w http.ResponseWriter, r *http.Request) {
	d := s.peerOf(w, r)
	if d == nil {
		return
	}
	asked := r.URL.Query()["id"]
	if len(asked) == 0 || len(asked) > maxAskedFor {
		federation.Refuse(w, http.StatusBadRequest, fmt.Sprintf("id: want 1 to %d of them", maxAskedFor))
		return
	}
	var ids []directory.ID
	for _, name := range asked {
		host, id, _ := strings.Cut(name, "/")
		if host != s.host {
			ids = append(ids, otherID(host, directory.ID(id)))
		}
		ids = append(ids, directory.ID(id))
	}
	entries, err := s.Directory.Entries(r.Context(), ids)
	if err != nil {
		s.fail(w, err)
		return
	}
	p := page{Context: mirrorContext(), ID: s.base + r.URL.RequestURI(), Type: "OrderedCollectionPage", PartOf: s.base + "/mirror/objects", Items: []json.RawMessage{}}
	size := 0
	for i := range entries {
		if !d.shows(&entries[i]) {
			continue
		}
		item, err := d.say(&entries[i])
		if err != nil {
			s.fail(w, err)
			return
		}
		if size += len(item); size > 2<<20 {
			break // the rest is found missing the next time
		}
		p.Items = append(p.Items, item)
	}
	s.answerPacked(w, r, typeActivity, p)
}
