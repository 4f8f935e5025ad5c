package directory

import (
	"context"
	"runtime"
)

// ScanPages is how a [Store] scans: it reads pages one after the other, decodes them on all processors, and hands them to fn
// in order. read returns what follows after an ID and the last ID of that; nothing means the end.
func ScanPages[Raw any](ctx context.Context, after ID, read func(ctx context.Context, after ID) ([]Raw, ID, error), decode func([]Raw) ([]Entry, error), fn func([]Entry) error) error {
	type page struct {
		entries []Entry
		err     error
	}
	ctx, cancel := context.WithCancel(ctx)
	pages := make(chan chan page, runtime.GOMAXPROCS(0)) // bounds what is under way
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(pages)
		for {
			raws, last, err := read(ctx, after)
			if err == nil && len(raws) == 0 {
				return
			}
			p := make(chan page, 1)
			select {
			case pages <- p:
			case <-ctx.Done():
				return
			}
			if err != nil {
				p <- page{err: err}
				return
			}
			go func() {
				entries, err := decode(raws)
				p <- page{entries, err}
			}()
			after = last
		}
	}()
	defer func() { // every page sent is answered, so this ends
		cancel()
		for p := range pages {
			<-p
		}
		<-done
	}()
	for p := range pages {
		got := <-p
		if got.err != nil {
			return got.err
		}
		if err := fn(got.entries); err != nil {
			return err
		}
	}
	return ctx.Err()
}
