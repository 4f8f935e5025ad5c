package api_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"archipel/api"
	"archipel/api/account"
	"archipel/directory"
)

// TestPairsPage: moderators see what is likely double in the whole directory, page by page; what they say is no double stays
// away, and what they may not decide about is not shown.
func TestPairsPage(t *testing.T) {
	tn := openWhole(t)
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { tn.server.Duplicates.Run(ctx, api.NotSame(tn.store)) })
	t.Cleanup(func() { stop(); wg.Wait() })
	names := []string{"Fourmilière", "Nichoir", "Terrier", "Ruche", "Garenne", "Tanière", "Volière", "Bergerie", "Chèvrerie", "Pigeonnier", "Colombier", "Rucher",
		"Poulailler", "Clapier", "Vivier", "Aquarium", "Hutte", "Cabane", "Grotte", "Yourte", "Tipi", "Roulotte"}
	for i, name := range names {
		lon, category := 4.0+float64(i)/10, "amap"
		if i == 0 {
			category = "coworking"
		}
		tn.put(place("La "+name, "Feurs", lon, 45.74, category), place("Association La "+name, "Feurs", lon+0.0001, 45.74, category))
	}
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if list, left := tn.server.Duplicates.Pairs(); len(list) == len(names) && left == 0 {
			break
		} else if time.Now().After(end) {
			t.Fatalf("%d pairs of %d, %d entries left", len(list), len(names), left)
		}
	}
	anna, zoe := tn.somebody("anna", account.Member, "fr"), tn.somebody("zoe", account.Moderator, "fr")
	if code := anna.get("/moderate/duplicates").StatusCode; code != http.StatusForbidden {
		t.Errorf("a member: %d", code)
	}
	first := zoe.get("/moderate/duplicates").body
	second := zoe.get("/moderate/duplicates?from=20").body
	if got := strings.Count(first, "Comparer et fusionner"); got != 20 || !strings.Contains(first, `href="/moderate/duplicates?from=20"`) {
		t.Errorf("%d on the first page", got)
	}
	if got := strings.Count(second, "Comparer et fusionner"); got != 2 || strings.Contains(second, "Paires suivantes") {
		t.Errorf("%d on the second page", got)
	}
	for _, name := range names {
		if in := strings.Contains(first, ">La "+name+"<"); in == strings.Contains(second, ">La "+name+"<") {
			t.Errorf("%s is on both pages or on none", name)
		}
	}
	list, _ := tn.server.Duplicates.Pairs()
	pair := list[0]
	form := url.Values{"one": {string(pair.B)}, "other": {string(pair.A)}, "from": {"0"}}
	if a := anna.post("/account", "/moderate/duplicates", form); a.StatusCode != http.StatusForbidden {
		t.Errorf("a member says so: %d", a.StatusCode)
	}
	if a := zoe.post("/moderate/duplicates", "/moderate/duplicates", url.Values{"one": {string(pair.A)}, "other": {string(pair.A)}}); a.StatusCode != http.StatusBadRequest {
		t.Errorf("an entry and itself: %d", a.StatusCode)
	}
	if a := zoe.post("/moderate/duplicates", "/moderate/duplicates", form); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("not the same: %d %s", a.StatusCode, a.body)
	}
	gone := fmt.Sprintf("keep=%s&amp;other=%s", pair.A, pair.B)
	back := fmt.Sprintf("keep=%s&amp;other=%s", pair.B, pair.A)
	body := zoe.get("/moderate/duplicates").body + zoe.get("/moderate/duplicates?from=20").body
	if strings.Count(body, "Comparer et fusionner") != len(names)-1 || strings.Contains(body, gone) || strings.Contains(body, back) {
		t.Error("what was said is not remembered")
	}
	// Said on another node: its record is enough.
	pair = list[1]
	if err := tn.store.PutRecord(t.Context(), "not-same", directory.Record{Key: string(pair.A) + "~" + string(pair.B), Value: []byte("{}")}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(zoe.get("/moderate/duplicates?from=0").body+zoe.get("/moderate/duplicates?from=21").body, "Comparer et fusionner"); got != len(names)-2 {
		t.Errorf("%d pairs are left", got)
	}
}
