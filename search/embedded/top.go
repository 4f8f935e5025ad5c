package embedded

import (
	"container/heap"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"

	"archipel/directory"
	"archipel/search"
)

// candidate is a row on its way into a page of results.
type candidate struct {
	key key
	s   scored
}

// key is where a row stands in an order: by number, then by name, then by id.
type key struct {
	by   float64
	name string
	id   directory.ID
}

func (k *key) compare(l *key) int {
	switch {
	case k.by < l.by:
		return -1
	case k.by > l.by:
		return 1
	}
	if c := strings.Compare(k.name, l.name); c != 0 {
		return c
	}
	return strings.Compare(string(k.id), string(l.id))
}

type wireKey struct {
	Sort search.Sort  `json:"s"`
	By   float64      `json:"b"`
	Name string       `json:"n,omitempty"`
	ID   directory.ID `json:"i"`
}

func (k *key) token(q *search.Query) string {
	b, _ := json.Marshal(wireKey{q.Sort, k.by, k.name, k.id}) // finite numbers and strings
	return base64.RawURLEncoding.EncodeToString(b)
}

// parseKey reads q.After.
func parseKey(q *search.Query) (*key, error) {
	if q.After == "" {
		return nil, nil
	}
	var w wireKey
	b, err := base64.RawURLEncoding.DecodeString(q.After)
	if err == nil {
		err = json.Unmarshal(b, &w)
	}
	if err != nil || w.Sort != q.Sort || !finite(w.By) {
		return nil, directory.Invalid{{Field: "after", Code: directory.CodeInvalid, Params: map[string]any{"value": q.After}}}
	}
	return &key{w.By, w.Name, w.ID}, nil
}

// top keeps the first n candidates after a key.
type top struct {
	n     int
	after *key
	heap  last
}

func newTop(n int, after *key) *top { return &top{n: n, after: after} }

// may reports whether a candidate with this number can still get in.
func (t *top) may(by float64) bool {
	return (len(t.heap) < t.n || by <= t.heap[0].key.by) && (t.after == nil || by >= t.after.by)
}

func (t *top) offer(by float64, s scored, r *row) {
	if !t.may(by) {
		return
	}
	c := candidate{key{by, r.key, r.id}, s}
	if t.after != nil && c.key.compare(t.after) <= 0 {
		return
	}
	if len(t.heap) < t.n {
		heap.Push(&t.heap, c)
	} else if c.key.compare(&t.heap[0].key) < 0 {
		t.heap[0] = c
		heap.Fix(&t.heap, 0)
	}
}

func (t *top) sorted() []candidate {
	slices.SortFunc(t.heap, func(a, b candidate) int { return a.key.compare(&b.key) })
	return t.heap
}

// last is a heap with the last candidate on top.
type last []candidate

func (l last) Len() int           { return len(l) }
func (l last) Less(i, j int) bool { return l[i].key.compare(&l[j].key) > 0 }
func (l last) Swap(i, j int)      { l[i], l[j] = l[j], l[i] }
func (l *last) Push(c any)        { *l = append(*l, c.(candidate)) }
func (l *last) Pop() any {
	c := (*l)[len(*l)-1]
	*l = (*l)[:len(*l)-1]
	return c
}
