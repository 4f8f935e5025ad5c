package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"archipel/directory"
)

const writers = 8

// testWriters lets 8 writers, on two opened stores, append 50 batches each, as the directory does: at the head, again
// when somebody was faster.
func testWriters(t *testing.T, b Backend) {
	place := b.New(t)
	stores := []directory.Store{b.open(t, place), b.open(t, place)}
	shared := names(5) // entries that all writers change
	var mu sync.Mutex
	acked := make(map[directory.Seq]string) // by Seq: the change's id
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(1, uint64(w)))
			s := stores[w%2]
			deadline := time.Now().Add(patience)
			for range 50 {
				pending := []directory.Entry{simple(fmt.Sprint("own-", w)), shared[rnd.IntN(len(shared))], simple("third")}[:1+rnd.IntN(3)]
				for len(pending) > 0 {
					after, err := s.Head(background)
					if err != nil {
						t.Errorf("Head: %v", err)
						return
					}
					c := changesOf(after, directory.OpUpdate, pending...)
					n, err := s.Append(background, after, c)
					if n == 0 && errors.Is(err, directory.ErrUnavailable) && time.Now().Before(deadline) {
						continue // on a slow disk the others can keep the file for longer than a write waits for it
					}
					if err != nil && !errors.Is(err, directory.ErrStale) || err == nil && n != len(c) || n > len(c) {
						t.Errorf("Append = %d, %v", n, err)
						return
					}
					mu.Lock()
					for _, c := range c[:n] {
						if acked[c.Seq] != "" {
							t.Errorf("change %d was acknowledged twice", c.Seq)
						}
						acked[c.Seq] = c.ID
					}
					mu.Unlock()
					pending = pending[n:]
				}
			}
		})
	}
	wg.Wait()
	for _, s := range append(stores, b.open(t, place)) {
		log := agree(t, s)
		if len(log) != len(acked) {
			t.Errorf("the log has %d changes, %d were acknowledged", len(log), len(acked))
		}
		for _, c := range log {
			if acked[c.Seq] != c.ID {
				t.Errorf("change %d is %s, acknowledged was %s", c.Seq, c.ID, acked[c.Seq])
			}
		}
	}
}

// testBatchRace: large batches against each other. Whatever Append says stands, stands, and nothing else.
func testBatchRace(t *testing.T, b Backend) {
	place := b.New(t)
	s := b.open(t, place)
	var mu sync.Mutex
	stood := make(map[string]bool)
	for range 5 {
		after := head(t, s)
		var wg sync.WaitGroup
		for range 4 {
			s := b.open(t, place)
			wg.Go(func() {
				c := changesOf(after, directory.OpCreate, names(100)...)
				n, err := s.Append(background, after, c)
				if err != nil && !errors.Is(err, directory.ErrStale) {
					t.Errorf("Append: %v", err)
				}
				mu.Lock()
				defer mu.Unlock()
				for i := range c {
					stood[c[i].ID] = i < n
				}
			})
		}
		wg.Wait()
	}
	log := agree(t, s)
	for _, c := range log {
		if !stood[c.ID] {
			t.Errorf("change %d is in the log, and its writer was told that it is not", c.Seq)
		}
		delete(stood, c.ID)
	}
	for id, stands := range stood {
		if stands {
			t.Errorf("change %s was said to stand and is not in the log", id)
		}
	}
}

// testReadYourLog: what is in the log when Entries or Scan begins is in what they give, on every node.
func testReadYourLog(t *testing.T, b Backend) {
	place := b.New(t)
	writer, reader := b.open(t, place), b.open(t, place)
	e := simple("watched")
	put(t, writer, directory.OpCreate, e)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 150 {
			put(t, writer, directory.OpUpdate, e)
		}
	}()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		h := head(t, reader)
		if got := one(t, reader, e.ID); got.Version < h {
			t.Fatalf("Entries gave version %d when the log stood at %d", got.Version, h)
		}
		h = head(t, reader)
		if got := scan(t, reader, ""); len(got) != 1 || got[0].Version < h {
			t.Fatalf("Scan gave version %d when the log stood at %d", got[0].Version, h)
		}
	}
	<-done
	agree(t, reader)
}

// testReadWhileWriting: a reader does not wait until a writer is done: it reads several times while one batch is written.
func testReadWhileWriting(t *testing.T, b Backend) {
	s := b.fresh(t)
	putMany(t, s, names(500))
	e := simple("read")
	put(t, s, directory.OpCreate, e)
	ctx, cancel := context.WithCancel(background)
	var begun, ended atomic.Int64
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			c := changesOf(head(t, s), directory.OpCreate, names(500)...)
			begun.Add(1)
			putChanges(t, s, c)
			ended.Add(1)
		}
	})
	defer wg.Wait()
	defer cancel()
	most, beside, during := 0, 0, int64(0)
	for deadline := time.Now().Add(patience); most < b.Beside; {
		n := begun.Load()
		under := ended.Load() < n
		one(t, s, e.ID)
		if _, err := s.History(background, e.ID, 0, 1); err != nil {
			t.Fatal(err)
		}
		if under && ended.Load() < n { // the same batch before and after
			if n != during {
				beside, during = 0, n
			}
			beside++
			most = max(most, beside)
		}
		if time.Now().After(deadline) {
			t.Fatalf("at most %d reads fit into the writing of a batch, want %d", most, b.Beside)
		}
	}
}

func testSettingsRace(t *testing.T, b Backend) {
	place := b.New(t)
	stores := []directory.Store{b.open(t, place), b.open(t, place)}
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			s := stores[w%2]
			deadline := time.Now().Add(patience)
			for done := 0; done < 10; {
				v, rev, err := s.Setting(background, "counter")
				if err != nil {
					t.Error(err)
					return
				}
				n, _ := strconv.Atoi(string(v))
				err = s.PutSetting(background, "counter", []byte(strconv.Itoa(n+1)), rev)
				if err == nil {
					done++
				} else if !errors.Is(err, directory.ErrStale) && !(errors.Is(err, directory.ErrUnavailable) && time.Now().Before(deadline)) {
					t.Errorf("PutSetting: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	if v, _, err := stores[0].Setting(background, "counter"); string(v) != "80" || err != nil {
		t.Errorf("8 writers counted 10 times each to %s (%v), want 80", v, err)
	}
}

// testCancelledWhileWriting cancels appends at any moment: what Append said to stand stands, there is no gap, and the
// store goes on working. A write that was cut may still arrive, even during the next one; the next one then is stale.
func testCancelledWhileWriting(t *testing.T, b Backend) {
	s := b.fresh(t)
	rnd := rand.New(rand.NewPCG(3, 4))
	stood := make(map[directory.Seq]string)
	cut := 0
	for range 60 {
		after := head(t, s)
		c := changesOf(after, directory.OpCreate, names(50)...)
		ctx, cancel := context.WithTimeout(background, time.Duration(rnd.IntN(3000))*time.Microsecond)
		n, err := s.Append(ctx, after, c)
		cancel()
		switch {
		case err == nil && n != len(c):
			t.Fatalf("Append = %d without an error, want %d", n, len(c))
		case err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, directory.ErrStale):
			t.Errorf("Append cancelled: %v", err)
		case err != nil:
			cut++
		}
		for _, c := range c[:n] {
			stood[c.Seq] = c.ID
		}
	}
	t.Logf("%d of 60 appends were cut", cut)
	settle(t, s, directory.OpCreate, simple("after all"))
	log := agree(t, s)
	for seq, id := range stood {
		if int(seq) > len(log) || log[seq-1].ID != id {
			t.Errorf("change %d (%s) was said to stand and does not", seq, id)
		}
	}
}
