package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"archipel/directory"
	"archipel/federation/fetch"
	"archipel/federation/islands"
)

// forgedMark is in the name of everything that nobody may ever show.
const forgedMark = "FORGED"

// hostile is what one island does besides its duty: it forges, poses as others, replays, sends what was not agreed, takes
// others' entries back, and floods. It has agreements, and its own keys.
type hostile struct {
	in     *isle
	mu     sync.Mutex
	stolen []map[string]any // activities of others, as it received them
	old    []map[string]any // its own, from the beginning

	quiet         atomic.Bool // it lies no more
	sent, refused atomic.Int64
	serial        atomic.Int64
}

// document makes a copy of JSON that may be spoiled.
func document(doc any) map[string]any {
	b, err := json.Marshal(doc)
	if err != nil {
		return map[string]any{}
	}
	var copied map[string]any
	if json.Unmarshal(b, &copied) != nil {
		return map[string]any{}
	}
	return copied
}

// rename writes the mark into what an activity says, and returns its object.
func rename(doc map[string]any, name string) map[string]any {
	object, _ := doc["object"].(map[string]any)
	if object == nil {
		object = map[string]any{}
	}
	object["name"] = forgedMark + " " + name
	if feature, ok := object["feature"].(map[string]any); ok {
		if p, ok := feature["properties"].(map[string]any); ok {
			p["name"] = forgedMark + " " + name
		}
	}
	object["version"] = 1e9
	return object
}

// prove signs a document with the hostile island's own key.
func (h *hostile) prove(doc map[string]any) map[string]any {
	delete(doc, "proof")
	if err := h.in.net.Prove("mirror", doc); err != nil {
		h.in.w.fail(err)
	}
	return doc
}

// lies are what it says, made of what it has seen.
func (h *hostile) lies() []any {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := int(h.serial.Add(1))
	var all []any
	if len(h.stolen) > 0 {
		theirs := h.stolen[n%len(h.stolen)]
		changed := document(theirs) // with the proof of what it was
		rename(changed, "changed")
		resigned := document(theirs)
		rename(resigned, "signed by another")
		posed := document(theirs)
		rename(posed, "said by another")["attributedTo"] = h.in.base + "/ap/mirror"
		posed["actor"], posed["id"] = h.in.base+"/ap/mirror", h.in.base+"/ap/mirror/activities/"+fmt.Sprint(n)
		object, _ := theirs["object"].(map[string]any)
		all = append(all, changed, h.prove(resigned), h.prove(posed),
			map[string]any{"type": "Remove", "id": h.in.base + "/ap/mirror#gone/" + fmt.Sprint(n), "actor": h.in.base + "/ap/mirror", "object": object["id"]},
			map[string]any{"type": "Delete", "id": theirs["id"], "actor": theirs["actor"], "object": map[string]any{"type": "Tombstone", "id": object["id"], "epoch": 0, "version": 1e9}})
	}
	if len(h.old) > 0 {
		all = append(all, h.old[n%len(h.old)]) // again, whatever has become of it since
		outside := document(h.old[n%len(h.old)])
		object := rename(outside, "outside")
		id := string(directory.NewID())
		object["id"], outside["id"] = h.in.base+"/id/"+id, h.in.base+"/ap/mirror/activities/"+id+"/0.1"
		delete(object, "words")
		if feature, ok := object["feature"].(map[string]any); ok {
			feature["id"] = id
			feature["geometry"] = map[string]any{"type": "Point", "coordinates": []any{0.0, 0.0}}
			if p, ok := feature["properties"].(map[string]any); ok {
				p["categories"] = []any{"coworking"}
			}
		}
		all = append(all, h.prove(outside))
		if n%20 == 0 {
			huge := document(outside)
			rename(huge, strings.Repeat("x", 300<<10))
			all = append(all, h.prove(huge))
		}
	}
	return append(all, nil, []any{}, "x", map[string]any{"type": []any{}})
}

// tamper adds lies to what other islands read.
func (h *hostile) tamper(honest http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/mirror/changes" || h.quiet.Load() {
			honest.ServeHTTP(w, r)
			return
		}
		r.Header.Del("Accept-Encoding")
		kept := httptest.NewRecorder()
		honest.ServeHTTP(kept, r)
		body := kept.Body.Bytes()
		var page map[string]any
		if kept.Code == http.StatusOK && json.Unmarshal(body, &page) == nil {
			items, _ := page["orderedItems"].([]any)
			h.keep(&h.old, items)
			page["orderedItems"] = append(items, h.lies()...)
			if b, err := json.Marshal(page); err == nil {
				body = b
			}
		}
		for k, v := range kept.Header() {
			if k != "Content-Length" {
				w.Header()[k] = v
			}
		}
		w.WriteHeader(kept.Code)
		_, _ = w.Write(body) // whoever asked may be gone
	})
}

func (h *hostile) keep(where *[]map[string]any, items []any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, item := range items {
		if doc, ok := item.(map[string]any); ok && len(*where) < 1000 && doc["type"] != "Remove" {
			*where = append(*where, document(doc))
		}
	}
}

// steal reads what others send to it.
func (h *hostile) steal(ctx context.Context) {
	types := []fetch.MediaType{{Type: "application/activity+json"}, {Type: "application/json"}}
	for i := range h.in.w.follows {
		f := &h.in.w.follows[i]
		if f.who != h.in {
			continue
		}
		got, err := h.in.net.FetchAs(ctx, "mirror", f.whom.base+"/mirror/changes", types)
		if err != nil {
			continue
		}
		var page struct {
			OrderedItems []any `json:"orderedItems"`
		}
		if json.NewDecoder(bytes.NewReader(got.Body)).Decode(&page) == nil {
			h.keep(&h.stolen, page.OrderedItems)
		}
	}
}

// flood tells everybody lies, those who have nothing to do with it too, until ctx ends.
func (h *hostile) flood(ctx context.Context) {
	for i := 0; ctx.Err() == nil; i++ {
		to := h.in.w.isles[i%len(h.in.w.isles)]
		if to == h.in || !to.up.Load() {
			continue
		}
		a, err := islands.With(ctx, h.in.store, to.host)
		if stranger := err != nil || !a.Out.Active(); stranger && i%10 != 0 {
			continue
		}
		for j, lie := range h.lies() {
			doc := map[string]any{
				"@context": "https://www.w3.org/ns/activitystreams", "id": fmt.Sprintf("%s/ap/mirror#lie/%d/%d", h.in.base, i, j), "type": "Announce",
				"actor": h.in.base + "/ap/mirror", "object": lie,
			}
			b, err := json.Marshal(doc)
			if err != nil {
				continue
			}
			h.sent.Add(1)
			if err := h.in.net.PostAs(ctx, "mirror", to.base+"/ap/mirror/inbox", b); err != nil {
				h.refused.Add(1)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}
