package embedded

import (
	"context"
	"time"
)

// tend keeps the index whole until ctx ends: it catches up when the index is opened, and builds a new one when a
// search found it damaged.
func (x *Index) tend(ctx context.Context) {
	defer close(x.done)
	pause := 200 * time.Millisecond
	for ctx.Err() == nil {
		if x.opt.Source == nil || (x.ready.Load() && x.failure.Load() == nil) {
			select {
			case <-ctx.Done():
			case <-x.kick:
			}
			continue
		}
		err := x.recover(ctx)
		if err == nil {
			pause = 200 * time.Millisecond
			continue
		}
		if ctx.Err() != nil {
			return
		}
		x.opt.Log.Warn("search index could not be filled, will try again", "err", err, "in", pause)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, 30*time.Second)
	}
}

// recover brings the index to what its Source has, whatever it is missing.
func (x *Index) recover(ctx context.Context) error {
	var at mark
	if err := x.use(func(g *generation) error { at = g.at(); return nil }); err != nil {
		return err
	}
	head, err := x.opt.Source.Head(ctx)
	if err != nil {
		return err
	}
	there, err := markOf(ctx, x.opt.Source, min(at.Seq, head))
	if err != nil {
		return err
	}
	lost := at.Seq == 0 && head > 0
	other := at.Seq > head || at.Change != there.Change // the log is not the one that was indexed
	if lost || other || x.failure.Load() != nil {
		x.opt.Log.Info("building the search index", "at", at.Seq, "head", head, "lost", lost, "otherLog", other)
		return x.Reindex(ctx)
	}
	if err := lock(ctx, x.write); err != nil {
		return err
	}
	defer func() { x.write <- struct{}{} }()
	err = x.use(func(g *generation) error {
		if err := catchUp(ctx, g, x.opt.Source, head); err != nil {
			return err
		}
		return g.warm()
	})
	if err == nil {
		x.ready.Store(true)
	}
	return err
}

// settle waits until the index has been filled.
func (x *Index) settle(ctx context.Context) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !x.ready.Load() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-x.done:
			return errClosed
		case <-tick.C:
		}
	}
	return nil
}

// patience is how long a new index is trusted: damage that shows sooner is not of the files.
const patience = 10 * time.Minute

// damaged makes the index build itself again, unless it has just done so.
func (x *Index) damaged(err error) {
	now := x.opt.Now().UnixNano()
	if last := x.blamed.Load(); last != 0 && now-last < int64(patience) || !x.blamed.CompareAndSwap(last, now) {
		x.opt.Log.Error("search failed", "err", err)
		return
	}
	if x.failure.CompareAndSwap(nil, &err) {
		x.opt.Log.Error("search index is damaged, building a new one", "err", err)
		select {
		case x.kick <- struct{}{}:
		default:
		}
	}
}
