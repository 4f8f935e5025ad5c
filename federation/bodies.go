package federation

import (
	"sync"

	"archipel/directory"
)

// bodies keeps the last activities that were made: a thousand followers get the same bytes, made and proved once.
type bodies struct {
	mu   sync.Mutex
	kept map[bodyKey][]byte
}

type bodyKey struct {
	id         directory.ID
	version    directory.Seq
	verb       string
	actor      string // who says it
	generation int    // of its keys
}

const maxBodies = 64

func newBodies() *bodies { return &bodies{kept: map[bodyKey][]byte{}} }

func (b *bodies) of(key bodyKey, make func() ([]byte, error)) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if body, ok := b.kept[key]; ok {
		return body, nil
	}
	body, err := make()
	if err != nil {
		return nil, err
	}
	if len(b.kept) >= maxBodies {
		clear(b.kept)
	}
	b.kept[key] = body
	return body, nil
}

// forget drops everything: the keys are others now.
func (b *bodies) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.kept)
}
