package federation_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"archipel/directory"
	"archipel/federation"
	"archipel/federation/fedtest"
)

func event(name string) directory.Entry {
	e := fair()
	e.ID, e.Name, e.Created = "", name, time.Time{}
	return e
}

// TestKnocking follows from a server that takes RFC 9421 only: we find out once, and remember.
func TestKnocking(t *testing.T) {
	in := open(t, nil)
	p := fedtest.NewPeer(t)
	p.RFC9421 = true
	var refused atomic.Int32
	p.Answer = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost && r.Header.Get("Signature-Input") == "" {
			refused.Add(1)
		}
		return false
	}
	if got := p.Post(in.inbox(), p.Activity("Follow", in.relay()), nil); got != http.StatusAccepted {
		t.Fatalf("Follow was answered with %d", got)
	}
	p.Await("Accept", 1)
	eventually(t, "the form to be noted", in.idle) // which is so when the Follow is done: a moment after the Accept was taken
	for i := range 3 {
		in.put(event(fmt.Sprint("Bal ", i)))
	}
	p.Await("Create", 3)
	if n := refused.Load(); n != 1 {
		t.Errorf("%d requests came in the other form, want 1", n)
	}
}

// TestAwayForAWhile lets a server fail: it is left alone for its pause, what failed is noted, and others are not held up.
func TestAwayForAWhile(t *testing.T) {
	c := &clock{stands: time.Now()}
	in := open(t, c)
	p, well := in.followed(), in.followed()
	var down atomic.Bool
	var asked atomic.Int32
	down.Store(true)
	p.Lock()
	p.Answer = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost && down.Load() {
			asked.Add(1)
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}
		return false
	}
	p.Unlock()
	a := in.put(event("Bal"))
	eventually(t, "the first failure", func() bool { return asked.Load() == 1 })
	well.Await("Create", 1) // else it would hear of the last version only
	for i := range 5 {
		a.Name = fmt.Sprint("Bal, version ", i)
		a = in.put(a)
	}
	b := in.put(event("Fugace"))
	b.Status = directory.Removed
	in.put(b)
	well.Await("Update", 1) // the server that is well is not held up
	if n := asked.Load(); n != 1 {
		t.Errorf("a failing server was asked %d times within its pause", n)
	}
	eventually(t, "the failure to be noted", func() bool {
		return slices.ContainsFunc(must(federation.Hosts(t.Context(), in.store)), func(h federation.Host) bool {
			return "http://"+h.Host == p.URL() && h.Failures == 1 && strings.Contains(h.LastError, "503") && h.Next.Sub(c.now()) > 30*time.Second
		})
	})
	down.Store(false)
}

// TestLaggingPeerGetsTheLatest follows while nothing is driven, so that a queue builds up.
func TestLaggingPeerGetsTheLatest(t *testing.T) {
	in := open(t, nil)
	p := fedtest.NewPeer(t)
	var hold atomic.Bool
	hold.Store(true)
	p.Answer = func(w http.ResponseWriter, r *http.Request) bool {
		for r.Method == http.MethodPost && hold.Load() {
			time.Sleep(10 * time.Millisecond)
		}
		return false
	}
	hold.Store(false)
	p.Post(in.inbox(), p.Activity("Follow", in.relay()), nil)
	p.Await("Accept", 1)
	hold.Store(true)
	in.put(event("Premier"))
	eventually(t, "the first delivery, which is held", func() bool { return slices.Contains(p.Asked(), "POST /inbox") })
	e := in.put(event("Bal"))
	for i := range 6 { // in less time than the delivery has
		e.Name = fmt.Sprint("Bal ", i)
		e = in.put(e)
	}
	gone := in.put(event("Fugace"))
	gone.Status = directory.Removed
	in.put(gone)
	in.put(event("Dernier"))
	hold.Store(false)
	creates := p.Await("Create", 3)
	in.delivered(p, "/inbox")
	var names []any
	for _, a := range p.Received("") {
		if o, ok := a["object"].(map[string]any); ok && a["type"] != "Accept" {
			names = append(names, a["type"], o["name"])
		}
	}
	if got := fmt.Sprint(names); got != "[Create Premier Create Bal 5 Create Dernier]" {
		t.Errorf("%d Creates; it got %s", len(creates), got)
	}
}

// TestGoneInbox drops a follower whose inbox is gone, and no other.
func TestGoneInbox(t *testing.T) {
	in := open(t, nil)
	p, well := in.followed(), in.followed()
	p.Lock()
	p.Answer = func(w http.ResponseWriter, r *http.Request) bool {
		w.WriteHeader(http.StatusGone)
		return true
	}
	p.Unlock()
	in.put(event("Bal"))
	well.Await("Create", 1)
	eventually(t, "the follower to be dropped", func() bool { return in.followers() == 1 })
}

// TestFollowersSync tells a server, and nobody else, who of its people follow (FEP-8fcf).
func TestFollowersSync(t *testing.T) {
	in := open(t, nil)
	p := in.followed()
	var header atomic.Value
	p.Lock()
	p.Answer = func(w http.ResponseWriter, r *http.Request) bool {
		if h := r.Header.Get("Collection-Synchronization"); h != "" {
			header.Store(h)
		}
		return false
	}
	p.Unlock()
	in.put(event("Bal"))
	p.Await("Create", 1)
	if h, _ := header.Load().(string); !strings.Contains(h, `collectionId="`+in.relay()+`/followers"`) || !strings.Contains(h, "digest=") {
		t.Errorf("Collection-Synchronization is %q", h)
	}
	r, _ := http.NewRequest(http.MethodGet, in.relay()+"/followers/sync", nil)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusUnauthorized {
		t.Errorf("who follows is told to anybody: %d", res.StatusCode)
	}
	p.Sign(r, nil, time.Now())
	if res, err = http.DefaultClient.Do(r); err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if b, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusOK || !strings.Contains(string(b), p.ID()) {
		t.Errorf("its own followers: %d %s, %v", res.StatusCode, b, err)
	}
}

// TestJoinFlagAndDecide covers what is answered or put before somebody.
func TestJoinFlagAndDecide(t *testing.T) {
	in := open(t, nil)
	e := in.put(fair())
	object := in.base + "/id/" + string(e.ID)
	p := in.followed()
	join := p.Activity("Join", object)
	p.Post(in.inbox(), join, nil)
	if o := p.Await("Ignore", 1)[0]["object"].(map[string]any); o["id"] != join["id"] {
		t.Errorf("Ignore says %v", o)
	}
	flag := p.Activity("Flag", []any{in.relay(), object, "https://elsewhere.example/1"})
	flag["content"] = "<b>Faux</b> événement\n&amp; spam"
	p.Post(in.inbox(), flag, nil)
	eventually(t, "the report", func() bool { return len(in.records("ap-report")) == 1 })
	if r := in.records("ap-report")[0]; fmt.Sprint(r["objects"]) != fmt.Sprintf("[%s %s]", in.relay(), object) || r["content"] != "Faux événement & spam" {
		t.Errorf("the report is %v", r)
	}
	if err := federation.Decide(t.Context(), in.store, p.ID(), false); err != nil {
		t.Fatal(err)
	}
	p.Await("Reject", 1)
	eventually(t, "the follower to go", func() bool { return in.followers() == 0 && len(in.records("ap-follower")) == 0 })

	if _, err := federation.ChangePolicy(t.Context(), in.store, func(policy *federation.Policy) error {
		policy.Mode = federation.ModeQuarantine
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the policy", func() bool {
		_, a := fedtest.Get(t, in.relay())
		return a["manuallyApprovesFollowers"] == true
	})
	p.Post(in.inbox(), p.Activity("Follow", in.relay()), nil)
	eventually(t, "the follower to wait", func() bool { return len(in.records("ap-follower")) == 1 })
	if err := federation.Decide(t.Context(), in.store, p.ID(), true); err != nil {
		t.Fatal(err)
	}
	p.Await("Accept", 2)
	in.put(event("Après le oui"))
	p.Await("Create", 1)
	if err := federation.Decide(t.Context(), in.store, "https://nobody.example/", true); err == nil {
		t.Error("nobody was accepted")
	}
}

// TestAnswers lets a server refuse one activity, then not know us: the next is sent after the first, and it is left alone
// after both forms of signature after the second.
func TestAnswers(t *testing.T) {
	in := open(t, &clock{stands: time.Now()})
	p, well := in.followed(), in.followed()
	var status, asked, forms atomic.Int32
	status.Store(http.StatusUnprocessableEntity)
	p.Lock()
	p.Answer = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost || status.Load() == 0 {
			return false
		}
		asked.Add(1)
		if r.Header.Get("Signature-Input") != "" {
			forms.Add(1)
		}
		w.WriteHeader(int(status.Load()))
		return true
	}
	p.Unlock()
	in.put(event("Refusé"))
	eventually(t, "it to be refused", func() bool { return asked.Load() == 1 })
	eventually(t, "the refusal to be noted", func() bool {
		hosts, err := federation.Hosts(t.Context(), in.store)
		return err == nil && len(hosts) > 0 && (hosts[0].Refused == 1 || len(hosts) > 1 && hosts[1].Refused == 1)
	})
	status.Store(0)
	in.put(event("Voulu"))
	if o := p.Await("Create", 1)[0]["object"].(map[string]any); o["name"] != "Voulu" {
		t.Errorf("it got %v", o["name"])
	}
	asked.Store(0)
	status.Store(http.StatusForbidden)
	in.put(event("Inconnu"))
	eventually(t, "both forms of signature to be tried", func() bool { return asked.Load() == 2 && forms.Load() == 1 })
	in.put(event("Encore"))
	well.Await("Create", 4)
	if n := asked.Load(); n != 2 {
		t.Errorf("a server that does not know us was asked %d times", n)
	}
	if in.followers() != 2 {
		t.Errorf("%v follow", in.followers())
	}
}
