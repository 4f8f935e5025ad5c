package digest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"archipel/api/smtptest"
	"archipel/directory"
)

// BenchmarkDigest is one run of the weekly digests: 1,000 subscribers around 50 towns, over a directory of 12,000 entries of which
// 2,000 are new, 1,000 changed and 2,000 are events, into the outbox.
func BenchmarkDigest(b *testing.B) {
	const subscribers, entries = 1000, 12000
	chance := rand.New(rand.NewPCG(1, 2))
	store := openStore(b)
	n := open(b, store, &clock{now: time.Date(2055, 3, 12, 9, 0, 0, 0, paris)}, smtptest.Start(b))
	at := func() (float64, float64) { return 3.6 + chance.Float64()*1.2, 45.2 + chance.Float64()*1.1 }
	write := func(list []directory.Entry) []directory.Entry {
		outcomes, err := n.d.Write(context.Background(), directory.Write{Author: "import", Entries: list})
		if err != nil {
			b.Fatal(err)
		}
		for i, o := range outcomes {
			if o.Err != nil {
				b.Fatal(o.Err)
			}
			list[i] = o.Entry
		}
		return list
	}
	list := make([]directory.Entry, entries-2000)
	for i := range list {
		lon, lat := at()
		list[i] = place(fmt.Sprintf("Lieu %d", i), lon, lat)
		list[i].Summary = "Un lieu où l’on se retrouve, où l’on répare et où l’on échange."
		if i%5 == 0 {
			list[i].Kind = directory.Event
			list[i].Event = &directory.Schedule{Start: time.Date(2055, 3, 1+i%40, 19, 0, 0, 0, paris), Timezone: "Europe/Paris"}
			if i%25 == 0 {
				list[i].Event.RRule = "FREQ=WEEKLY;COUNT=20"
			}
		}
	}
	list = write(list)
	for i := range subscribers {
		lon, lat := 3.6+1.2*float64(i%50)/50, 45.2+1.1*float64(i%50)/50
		value, err := json.Marshal(map[string]any{"mail": fmt.Sprintf("p%d@example.org", i), "lang": []string{"fr", "en"}[i%2], "place": fmt.Sprintf("Ville %d", i%50), "near": []float64{lon, lat},
			"radius": []int{10, 20, 30}[i%3], "every": "weekly", "since": n.clock.Now(), "told": n.d.Head(), "next": time.Date(2055, 3, 15, 7, 0, 0, 0, paris)})
		if err != nil {
			b.Fatal(err)
		}
		if err := store.PutRecord(context.Background(), "digest", directory.Record{Key: fmt.Sprintf("%032d/%d", i, i), Value: value}); err != nil {
			b.Fatal(err)
		}
	}
	week := 0
	for b.Loop() {
		b.StopTimer()
		fresh := make([]directory.Entry, 2000)
		for i := range fresh {
			lon, lat := at()
			fresh[i] = place(fmt.Sprintf("Nouveau %d-%d", week, i), lon, lat)
		}
		write(fresh)
		for i := range 1000 {
			list[i].Summary = fmt.Sprintf("Changé en semaine %d.", week)
		}
		copy(list, write(list[:1000]))
		n.clock.set(time.Date(2055, 3, 15+7*week, 7, 0, 0, 0, paris))
		week++
		b.StartTimer()
		mails, err := n.service.Pass(context.Background())
		if err != nil || mails < subscribers/2 {
			b.Fatalf("%d digests, %v", mails, err)
		}
		b.ReportMetric(float64(mails), "mails")
	}
}
