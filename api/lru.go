package api

import (
	"container/list"
	"sync"
)

// lru keeps the values that were used last, as many as together weigh the most at most, and the newest in any case. It is
// safe for concurrent use.
type lru[K comparable, V any] struct {
	mu    sync.Mutex
	most  int
	weigh func(V) int // always the same for a value; nil: each is one
	heavy int         // what all weigh together
	order *list.List
	items map[K]*list.Element
}

type lruItem[K comparable, V any] struct {
	key   K
	value V
}

func newLRU[K comparable, V any](most int) *lru[K, V] {
	return &lru[K, V]{most: most, order: list.New(), items: make(map[K]*list.Element, most)}
}

// newWeighedLRU makes one for values of very different sizes.
func newWeighedLRU[K comparable, V any](most int, weigh func(V) int) *lru[K, V] {
	return &lru[K, V]{most: most, weigh: weigh, order: list.New(), items: map[K]*list.Element{}}
}

func (l *lru[K, V]) weight(v V) int {
	if l.weigh == nil {
		return 1
	}
	return l.weigh(v)
}

func (l *lru[K, V]) get(key K) (v V, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, ok := l.items[key]
	if !ok {
		return v, false
	}
	l.order.MoveToFront(e)
	return e.Value.(lruItem[K, V]).value, true
}

func (l *lru[K, V]) put(key K, v V) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heavy += l.weight(v)
	if e, ok := l.items[key]; ok {
		l.heavy -= l.weight(e.Value.(lruItem[K, V]).value)
		e.Value = lruItem[K, V]{key, v}
		l.order.MoveToFront(e)
	} else {
		l.items[key] = l.order.PushFront(lruItem[K, V]{key, v})
	}
	for l.heavy > l.most && l.order.Len() > 1 {
		last := l.order.Remove(l.order.Back()).(lruItem[K, V])
		delete(l.items, last.key)
		l.heavy -= l.weight(last.value)
	}
}

// clear forgets everything.
func (l *lru[K, V]) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.order.Init()
	clear(l.items)
	l.heavy = 0
}
