package federation_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
	"testing"
	"time"

	"archipel/directory"
	"archipel/directory/sqlitestore"
	"archipel/federation"
	"archipel/federation/fedtest"
)

// TestServe is an instance in a process of its own, for [TestKilled].
func TestServe(t *testing.T) {
	dir := os.Getenv("FEDERATION_TEST_DIR")
	if dir == "" {
		t.Skip("only as a process of TestKilled")
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	ln, err := net.FileListener(os.NewFile(3, "listener")) // the first of ExtraFiles
	if err != nil {
		t.Fatal(err)
	}
	store, err := sqlitestore.Open(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	published := &federation.Published{}
	d, err := directory.Open(ctx, directory.Options{Store: store, Views: []directory.View{published}, Poll: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	s, err := federation.New(ctx, federation.Options{
		Directory: d, Published: published, PublicURL: "http://" + ln.Addr().String(), Version: "test",
		Site: func() federation.Site { return federation.Site{Name: "Essai", Lang: "fr"} },
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(s)
	server.Listener.Close()
	server.Listener = ln
	server.Start()
	fmt.Println("ready")
	var wg sync.WaitGroup
	wg.Go(func() { d.Run(ctx) })
	wg.Go(func() { s.Run(ctx) })
	wg.Wait()
}

// TestKilled kills the instance with SIGKILL while it takes activities and delivers, again and again. In the end every
// follower has every event, what came twice has the id that it had before, and every activity that was answered with 202
// has been done.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	base := "http://" + ln.Addr().String()
	// The port stays open all the time, and the instances share it: nobody else can take it while none of them runs.
	port, err := ln.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	defer port.Close()
	start := func() func() {
		c := exec.Command(os.Args[0], "-test.run=^TestServe$")
		c.Env = append(os.Environ(), "FEDERATION_TEST_DIR="+dir)
		c.ExtraFiles = []*os.File{port}
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for lines.Scan() && lines.Text() != "ready" {
		}
		if lines.Text() != "ready" {
			_ = c.Process.Kill()
			t.Fatalf("the instance did not start: %v", c.Wait())
		}
		drained := make(chan struct{})
		go func() {
			defer close(drained)
			for lines.Scan() {
			}
		}()
		kill := sync.OnceFunc(func() {
			_ = c.Process.Kill()
			<-drained
			_ = c.Wait()
			http.DefaultClient.CloseIdleConnections()
		})
		t.Cleanup(kill)
		return kill
	}

	store, err := sqlitestore.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	d, err := directory.Open(t.Context(), directory.Options{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	liked, err := d.Put(t.Context(), "test", event("Bal des pompiers"))
	if err != nil {
		t.Fatal(err)
	}
	kill := start()
	peers := make([]*fedtest.Peer, 4)
	for i := range peers {
		peers[i] = fedtest.NewPeer(t)
		follow := peers[i].Activity("Follow", base+"/ap/relay")
		if code := peers[i].Post(base+"/ap/inbox", follow, nil); code != http.StatusAccepted {
			t.Fatalf("Follow was answered with %d", code)
		}
		peers[i].Await("Accept", 1)
		peers[i].Lock()
		peers[i].Answer = func(http.ResponseWriter, *http.Request) bool { time.Sleep(3 * time.Millisecond); return false }
		peers[i].Unlock()
	}
	const rounds, each = 4, 15
	versions := map[string]directory.Seq{}
	for round := range rounds {
		for i := range each {
			e, err := d.Put(t.Context(), "test", event(fmt.Sprintf("Bal %d.%d", round, i)))
			if err != nil {
				t.Fatal(err)
			}
			if i%5 == 4 { // and one that changes while it is on its way
				e.Name += " bis"
				if e, err = d.Put(t.Context(), "test", e); err != nil {
					t.Fatal(err)
				}
			}
			versions[base+"/id/"+string(e.ID)] = e.Version
		}
		for i, p := range peers { // accepted, so it will be done, whatever happens now
			p.Lock()
			answer := p.Answer
			p.Answer = nil
			p.Unlock()
			if i == round%len(peers) {
				if code := p.Post(base+"/ap/inbox", p.Activity("Like", base+"/id/"+string(liked.ID)), nil); code != http.StatusAccepted {
					t.Fatalf("Like was answered with %d", code)
				}
			}
			p.Lock()
			p.Answer = answer
			p.Unlock()
		}
		p := peers[round%len(peers)]
		eventually(t, "some deliveries of this round", func() bool { return len(p.Received("Create")) > round*each+round*3 })
		kill()
		kill = start()
	}
	// The last word of each event came to each follower, under the one id of that version.
	for i, p := range peers {
		eventually(t, fmt.Sprintf("follower %d to have everything", i), func() bool {
			have := map[string]bool{}
			for _, a := range p.Received("") {
				id, _ := a["id"].(string)
				have[id] = true
			}
			for object, version := range versions {
				if !have[activityOf(object, version)] {
					return false
				}
			}
			return true
		})
		seen, twice := map[string]any{}, 0
		for _, a := range p.Received("") {
			id, _ := a["id"].(string)
			o, _ := a["object"].(map[string]any)
			if o == nil {
				continue
			}
			if name, again := seen[id]; again {
				twice++
				if name != o["name"] {
					t.Errorf("%s said %v, and then %v", id, name, o["name"])
				}
			}
			seen[id] = o["name"]
		}
		t.Logf("follower %d: %d activities, %d of them twice", i, len(seen), twice)
	}
	eventually(t, "every Like to count", func() bool {
		records, err := store.Records(t.Context(), "ap-reaction", "", 100)
		if err != nil {
			t.Fatal(err)
		}
		return len(records) == min(rounds, len(peers))
	})
	kill()
}

func activityOf(object string, version directory.Seq) string {
	base, id := object[:len(object)-len("/id/")-36], object[len(object)-36:]
	return fmt.Sprintf("%s/ap/activities/%s/%d", base, id, version)
}
