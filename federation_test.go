package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"archipel/directory"
	"archipel/directory/sqlitestore"
	"archipel/federation/fedtest"

	"github.com/paulmach/orb"
)

// freePort is an address that nobody listens on now. The public address must be known before the program starts.
func freePort(t *testing.T) string {
	t.Helper()
	address, err := freePortOf("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// freePortOf finds a port below those that the system gives to whoever asks for any: while the program is not up, or was
// killed, nobody else is given it by chance.
func freePortOf(ip string) (string, error) {
	for try := 0; ; try++ {
		ln, err := net.Listen("tcp", fmt.Sprintf("%s:%d", ip, 20000+rand.IntN(10000)))
		if err == nil {
			defer ln.Close()
			return ln.Addr().String(), nil
		}
		if try == 100 {
			return "", err
		}
	}
}

// openBeside opens the data folder of a running program, as any other process may.
func openBeside(t *testing.T, dir string) *directory.Directory {
	t.Helper()
	store, err := sqlitestore.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	d, err := directory.Open(t.Context(), directory.Options{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func fair(name string) directory.Entry {
	return directory.Entry{
		Kind: directory.Event, Name: name, Description: "Apportez *vos plantes*.", Lang: "fr", Tags: []string{"jardin partagé"},
		Sites: []orb.Point{{4.39, 45.44}}, Address: &directory.Address{Street: "2 rue des Tilleuls", Locality: "Saint-Étienne", PostalCode: "42000", Country: "FR"},
		Event: &directory.Schedule{Start: time.Now().AddDate(0, 1, 0), End: time.Now().AddDate(0, 1, 0).Add(2 * time.Hour), Timezone: "Europe/Paris"},
	}
}

// TestFederation lets another server follow the real program, which is killed in between.
func TestFederation(t *testing.T) {
	dir, address := t.TempDir(), freePort(t)
	base := "http://" + address
	args := []string{"serve", "-data", dir, "-listen", address, "-public-url", base, "-federation", "on"}
	p := start(t, nil, args...)

	status, finger := fedtest.Get(t, base+"/.well-known/webfinger?resource=acct:relay@"+address)
	if status != http.StatusOK || finger["subject"] != "acct:relay@"+address {
		t.Fatalf("WebFinger answered %d %v", status, finger)
	}
	if status, info := fedtest.Get(t, base+"/nodeinfo/2.1"); status != http.StatusOK || info["version"] != "2.1" {
		t.Errorf("NodeInfo answered %d %v", status, info)
	}
	status, relay := fedtest.Get(t, base+"/ap/relay")
	if status != http.StatusOK || relay["type"] != "Application" || relay["id"] != base+"/ap/relay" {
		t.Fatalf("the actor is %d %v", status, relay)
	}

	peer := fedtest.NewPeer(t)
	follow := peer.Activity("Follow", relay["id"])
	if status := peer.Post(relay["inbox"].(string), follow, nil); status != http.StatusAccepted {
		t.Fatalf("Follow was answered with %d", status)
	}
	accept := peer.Await("Accept", 1)[0]
	if o, _ := accept["object"].(map[string]any); o["id"] != follow["id"] || accept["actor"] != relay["id"] {
		t.Errorf("Accept says %v", accept)
	}

	d := openBeside(t, dir)
	e, err := d.Put(t.Context(), "test", fair("Troc de plantes"))
	if err != nil {
		t.Fatal(err)
	}
	// What was under way when the program was killed may come again, so each is looked for by what it brings.
	brings := func(kind, member, value string) (object map[string]any) {
		t.Helper()
		eventually(t, kind+" of "+value, func() bool {
			return slices.ContainsFunc(peer.Received(kind), func(a map[string]any) bool {
				object, _ = a["object"].(map[string]any)
				return object[member] == value
			})
		})
		return object
	}
	object := brings("Create", "name", "Troc de plantes")
	if object["id"] != base+"/id/"+string(e.ID) || object["type"] != "Event" {
		t.Errorf("Create brings %v", object)
	}
	toPage, toObject := where(t, base+"/id/"+string(e.ID), "text/html"), where(t, base+"/e/"+e.Slug, "application/activity+json")
	if toPage != "/e/"+e.Slug || toObject != base+"/id/"+string(e.ID) {
		t.Errorf("a browser is led to %q, a server to %q", toPage, toObject)
	}
	e.Name = "Grand troc de plantes"
	if e, err = d.Put(t.Context(), "test", e); err != nil {
		t.Fatal(err)
	}
	brings("Update", "name", e.Name)

	p.kill()
	if _, err := d.Put(t.Context(), "test", fair("Pendant la panne")); err != nil {
		t.Fatal(err)
	}
	p = start(t, nil, args...)
	brings("Create", "name", "Pendant la panne")

	e.Status = directory.Removed
	if e, err = d.Put(t.Context(), "test", e); err != nil {
		t.Fatal(err)
	}
	if o := brings("Delete", "id", base+"/id/"+string(e.ID)); o["type"] != "Tombstone" {
		t.Errorf("Delete brings %v", o)
	}
	if status, o := fedtest.Get(t, base+"/id/"+string(e.ID)); status != http.StatusGone || o["type"] != "Tombstone" {
		t.Errorf("the object is %d %v now", status, o)
	}
	// What comes again has its id.
	ids := map[any]bool{}
	for _, a := range peer.Received("") {
		ids[a["id"]] = true
	}
	if len(ids) != 5 {
		t.Errorf("%d different activities came, 5 were to come: %v", len(ids), peer.Received(""))
	}
	if err := p.stop(); err != nil {
		t.Errorf("it stopped with %v; it said %s", err, p.stderr)
	}
}

// where is the address that an address leads to, for who accepts that type.
func where(t *testing.T, address, accept string) string {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", accept)
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if vary := strings.Join(res.Header.Values("Vary"), ","); !strings.Contains(vary, "Accept") {
		t.Errorf("%s: Vary is %q", address, vary)
	}
	return res.Header.Get("Location")
}

// TestFederationIsOffUntilItCanWork: without a public address nobody could answer us.
func TestFederationIsOffUntilItCanWork(t *testing.T) {
	for _, args := range [][]string{{"-federation", "on"}, {"-federation", "perhaps"}, {"-federation", "on", "-public-url", "http://annuaire.example"}} {
		if _, stderr, err := archipel(t, append([]string{"serve", "-listen", "127.0.0.1:0", "-data", t.TempDir()}, args...)...); err == nil {
			t.Errorf("%q is taken; it said %s", args, stderr)
		}
	}
	p := serveIn(t, t.TempDir())
	if status, _ := p.get("/ap/relay"); status != http.StatusNotFound {
		t.Errorf("it takes part without a public address: %d", status)
	}
	if status, _ := p.get("/.well-known/webfinger?resource=acct:relay@localhost"); status != http.StatusNotFound {
		t.Errorf("WebFinger without a public address: %d", status)
	}
}
