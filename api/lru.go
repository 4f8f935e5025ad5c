package api

import (
	"container/list"
	"sync"
)

// lru keeps the values that were used last. It is safe for concurrent use.
type lru[K comparable, V any] struct {
	mu    sync.Mutex
	most  int
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
	if e, ok := l.items[key]; ok {
		e.Value = lruItem[K, V]{key, v}
		l.order.MoveToFront(e)
		return
	}
	l.items[key] = l.order.PushFront(lruItem[K, V]{key, v})
	if l.order.Len() > l.most {
		last := l.order.Back()
		delete(l.items, last.Value.(lruItem[K, V]).key)
		l.order.Remove(last)
	}
}

// clear forgets everything.
func (l *lru[K, V]) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.order.Init()
	clear(l.items)
}
