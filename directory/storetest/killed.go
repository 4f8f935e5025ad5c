package storetest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"archipel/directory"
)

// childEnv holds the place that a child process writes to until it is killed.
const childEnv = "ARCHIPEL_STORETEST_CHILD"

// Main is a store's TestMain: it runs the tests, or, in a child process of the test Killed, a writer that never ends.
func Main(m *testing.M, open func(ctx context.Context, place string) (directory.Store, error)) {
	place := os.Getenv(childEnv)
	if place == "" {
		os.Exit(m.Run())
	}
	err := writeForEver(place, open)
	fmt.Fprintln(os.Stderr, "child:", err)
	os.Exit(3)
}

// writeForEver prints a line for every acknowledged change: its Seq and its id.
func writeForEver(place string, open func(context.Context, string) (directory.Store, error)) error {
	s, err := open(background, place)
	if err != nil {
		return err
	}
	var ids []directory.ID
	for {
		after, err := s.Head(background)
		if err != nil {
			return err
		}
		var batch []directory.Entry
		for range 1 + rand.IntN(20) {
			e := signed(rand.IntN(4000))
			if len(ids) > 0 && rand.IntN(2) == 0 {
				e.ID = ids[rand.IntN(len(ids))]
				e = sign(e)
			}
			batch = append(batch, e)
		}
		c := changesOf(after, directory.OpUpdate, batch...)
		n, err := s.Append(background, after, c)
		if err != nil && !errors.Is(err, directory.ErrStale) {
			return err
		}
		var out strings.Builder
		for _, c := range c[:n] {
			fmt.Fprintf(&out, "%d %s\n", c.Seq, c.ID)
			if len(ids) < 50 {
				ids = append(ids, c.Entry.ID)
			}
		}
		if _, err := os.Stdout.WriteString(out.String()); err != nil {
			return err
		}
	}
}

// signed makes an entry of some size whose checksum is part of it, so that half of it would be noticed.
func signed(size int) directory.Entry {
	e := simple("signed")
	var b strings.Builder
	for b.Len() < size {
		fmt.Fprintf(&b, "%x ", rand.Uint64())
	}
	e.Description = b.String()
	return sign(e)
}

func sign(e directory.Entry) directory.Entry {
	e.Extra = map[string]string{"sum": checksum(&e)}
	return e
}

func checksum(e *directory.Entry) string {
	h := fnv.New64a()
	fmt.Fprintln(h, e.ID, e.Name, e.Description, e.Sites)
	return fmt.Sprintf("%x", h.Sum64())
}

// testKilled kills writers in the middle with SIGKILL, again and again, and opens the store after each: no acknowledged
// change is lost, there is no gap, no half entry, and the projection is what the log says.
func testKilled(t *testing.T, b Backend) {
	rounds := 20
	if testing.Short() {
		rounds = 5
	}
	place := b.New(t)
	seen := make(map[directory.Seq]string) // what stood after the round before
	acknowledged := 0
	for round := range rounds {
		acked := killOne(t, place, 1+round%2)
		acknowledged += len(acked)
		s, err := b.Open(background, place)
		if err != nil {
			t.Fatalf("round %d: open after the kill: %v", round, err)
		}
		covers(t, s)
		// The store takes writes again.
		settle(t, s, directory.OpCreate, signed(100))
		log := agree(t, s)
		stands := make(map[directory.Seq]string, len(log))
		for i := range log {
			c := &log[i]
			stands[c.Seq] = c.ID
			if checksum(&c.Entry) != c.Entry.Extra["sum"] {
				t.Errorf("round %d: change %d has half an entry", round, c.Seq)
			}
		}
		for seq, id := range acked {
			if stands[seq] != id {
				t.Errorf("round %d: acknowledged change %d (%s) is lost: %q stands", round, seq, id, stands[seq])
			}
		}
		for seq, id := range seen {
			if stands[seq] != id {
				t.Errorf("round %d: change %d was %s before and is %q now", round, seq, id, stands[seq])
			}
		}
		seen = stands
		if err := s.Close(); err != nil {
			t.Errorf("round %d: Close: %v", round, err)
		}
		if t.Failed() {
			t.FailNow()
		}
	}
	t.Logf("%d rounds, %d acknowledged changes, %d in the log", rounds, acknowledged, len(seen))
	if acknowledged < rounds {
		t.Errorf("the children wrote too little for the test to mean anything")
	}
}

// killOne starts n writers, kills them while they write, and returns what they said to be acknowledged.
func killOne(t *testing.T, place string, n int) map[directory.Seq]string {
	t.Helper()
	var mu sync.Mutex
	acked := make(map[directory.Seq]string)
	first := make(chan struct{}, n)
	var wg sync.WaitGroup
	var children []*exec.Cmd
	for range n {
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), childEnv+"="+place)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		children = append(children, cmd)
		wg.Go(func() {
			r, told := bufio.NewReader(out), false
			for {
				line, err := r.ReadString('\n')
				if err != nil { // a line without its end was not acknowledged
					break
				}
				var seq directory.Seq
				var id string
				if _, err := fmt.Sscan(line, &seq, &id); err != nil {
					t.Errorf("child said %q", line)
					break
				}
				mu.Lock()
				acked[seq] = id
				mu.Unlock()
				if !told {
					told = true
					first <- struct{}{}
				}
			}
			cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code >= 0 {
				t.Errorf("child ended by itself with %d: %s", code, stderr.String())
				first <- struct{}{}
			}
		})
	}
	select {
	case <-first:
	case <-time.After(patience):
		t.Error("no child wrote anything in two minutes")
	}
	time.Sleep(time.Duration(rand.IntN(80_000)) * time.Microsecond)
	for _, c := range children {
		c.Process.Kill()
	}
	wg.Wait()
	return acked
}
