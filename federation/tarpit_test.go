package federation_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"archipel/federation/fedtest"
)

// TestTarpit sends much from a server whose inbox hangs: others have their answers meanwhile, it is asked seldom, and once it
// answers again it is told what it waits for.
func TestTarpit(t *testing.T) {
	c := &clock{stands: time.Now()}
	in := open(t, c)
	e := in.put(fair())
	tarpit := fedtest.NewPeer(t)
	tarpit.Now = c.now
	free := make(chan struct{})
	tarpit.Answer = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			select {
			case <-free:
			case <-r.Context().Done():
			}
		}
		return false
	}
	send := func(kind, object string) {
		if got := tarpit.Post(in.inbox(), tarpit.Activity(kind, object), nil); got != http.StatusAccepted {
			t.Errorf("%s was answered with %d", kind, got)
		}
	}
	send("Follow", in.relay())
	for range 40 {
		send("Join", in.base+"/id/"+string(e.ID))
	}
	for range 3 {
		in.follows(fedtest.NewPeer(t), in.relay()) // waits two minutes at most, and not for 40 times 10 seconds
	}
	send("Like", in.base+"/id/"+string(e.ID))
	eventually(t, "the follower", func() bool { return in.followers() == 4 })
	eventually(t, "all but the Follow to be done", func() bool { return len(in.lists("ap-inbox")) == 1 && len(in.records("ap-reaction")) == 1 })
	posts := 0
	for _, a := range tarpit.Asked() {
		if strings.HasPrefix(a, "POST") {
			posts++
		}
	}
	if posts > 10 {
		t.Errorf("the inbox that hangs was asked %d times", posts)
	}
	close(free)
	c.forward(10 * time.Minute)
	eventually(t, "the Accept", func() bool {
		c.forward(in.pause(c)) // a try that was under way may have ended since, and begun another one
		return len(tarpit.Received("Accept")) == 1
	})
	eventually(t, "all to be done", in.idle)
	if n := len(tarpit.Received("Ignore")); n > 0 {
		t.Errorf("%d times Ignore came late", n)
	}
}

// pause is how long nothing that came in will be tried again, and a minute more; 0 when something is about to be.
func (in *instance) pause(c *clock) time.Duration {
	in.t.Helper()
	records, err := in.store.Records(in.t.Context(), "ap-inbox", "", 1)
	if err != nil {
		in.t.Fatal(err)
	}
	var list []struct{ Next time.Time }
	if len(records) == 0 {
		return 0
	} else if err := json.Unmarshal(records[0].Value, &list); err != nil {
		in.t.Fatal(err)
	}
	if wait := list[0].Next.Sub(c.now()); wait > 0 {
		return wait + time.Minute
	}
	return 0
}

// lists are the keys of the records of a kind.
func (in *instance) lists(kind string) (keys []string) {
	in.t.Helper()
	records, err := in.store.Records(in.t.Context(), kind, "", 100)
	if err != nil {
		in.t.Fatal(err)
	}
	for _, r := range records {
		keys = append(keys, r.Key)
	}
	return keys
}
