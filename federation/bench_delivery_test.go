package federation_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"archipel/directory"
)

// hosts are servers that only take what comes, each on a port of its own.
type hosts struct {
	mu          sync.Mutex
	begun       map[int]time.Time // when the event of that number was put
	late        []time.Duration   // how long each delivery to a host that is well took from there
	dead        atomic.Int64      // deliveries to hosts that are slow, tried
	connections atomic.Int64
}

func (h *hosts) serve(b *testing.B, well bool, answer time.Duration) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := &http.Server{
		ConnState: func(_ net.Conn, s http.ConnState) {
			if s == http.StateNew && well {
				h.connections.Add(1)
			}
		},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if !well {
				h.dead.Add(1)
				select {
				case <-time.After(answer):
				case <-r.Context().Done():
				}
			} else if _, after, ok := bytes.Cut(body, []byte(`"name":"Bal `)); ok {
				var n int
				_, _ = fmt.Sscanf(string(after[:min(len(after), 6)]), "%d", &n)
				h.mu.Lock()
				h.late = append(h.late, time.Since(h.begun[n]))
				h.mu.Unlock()
			}
			w.WriteHeader(http.StatusAccepted)
		}),
	}
	go func() { _ = server.Serve(ln) }()
	b.Cleanup(func() { server.Close() })
	return "http://" + ln.Addr().String()
}

func (h *hosts) taken() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.late)
}

// BenchmarkDelivery has 1,000 followers on 200 hosts, without shared inboxes: 160 hosts are well, 10 refuse connections, 15
// never answer, 15 answer after 3 s. It puts some events at once, then others at a pace that is
// half of what signing allows, and measures deliveries to the
// hosts that are well: how many in a second, as a share of what signing with RSA-2048 allows; how late the slowest are; how
// the memory grows. Run it with -benchtime=1x.
func BenchmarkDelivery(b *testing.B) {
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	in := open(b, nil)
	h := &hosts{begun: map[int]time.Time{}}
	const perHost, well = 5, 160
	for i := range 200 {
		base := ""
		switch {
		case i < well:
			base = h.serve(b, true, 0)
		case i < 170: // nobody listens there any more
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			base = "http://" + ln.Addr().String()
			ln.Close()
		case i < 185:
			base = h.serve(b, false, time.Hour)
		default:
			base = h.serve(b, false, 3*time.Second)
		}
		for j := range perHost {
			actor := fmt.Sprintf("%s/users/%d", base, j)
			sum := sha256.Sum256([]byte(actor))
			value, err := json.Marshal(map[string]any{
				"actor": actor, "host": base[len("http://"):], "inbox": actor + "/inbox", "follow": actor + "/follow", "object": in.relay(), "time": time.Now(),
			})
			if err == nil {
				err = in.store.PutRecord(b.Context(), "ap-follower", directory.Record{Key: hex.EncodeToString(sum[:]), Value: value})
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	for in.followers() < 1000 {
		time.Sleep(100 * time.Millisecond)
	}
	put := func(n int) {
		h.mu.Lock()
		h.begun[n] = time.Now()
		h.mu.Unlock()
		in.put(event(fmt.Sprintf("Bal %d ", n)))
	}
	all := func(events int) {
		for deadline := time.Now().Add(5 * time.Minute); h.taken() < events*well*perHost; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				b.Fatalf("%d deliveries came, want %d", h.taken(), events*well*perHost)
			}
		}
	}
	put(0) // finds out who is away
	all(1)
	runtime.GC()
	var memory, after runtime.MemStats
	runtime.ReadMemStats(&memory)
	for b.Loop() {
		b.StopTimer()
		_, before, _, beforeCPU := rsaRates(b)
		h.mu.Lock()
		h.late = nil
		h.mu.Unlock()
		const together, spread = 4, 6
		connections := h.connections.Load()
		b.StartTimer()
		begin, spent := time.Now(), cpu()
		for n := range together {
			put(1 + n)
		}
		all(together)
		rate, rateCPU := float64(h.taken())/time.Since(begin).Seconds(), float64(h.taken())/(cpu()-spent).Seconds()
		b.StopTimer()
		slowest := func(from int) float64 {
			h.mu.Lock()
			defer h.mu.Unlock()
			late := slices.Clone(h.late[from:])
			slices.Sort(late)
			return late[len(late)*99/100].Seconds()
		}
		b.ReportMetric(slowest(0), "p99-s-together")
		pace := time.Duration(2 * well * perHost / max(before, 1) * float64(time.Second)) // half of what signing allows
		for n := range spread {
			put(100 + n)
			time.Sleep(pace)
		}
		all(together + spread)
		b.ReportMetric(slowest(together*well*perHost), "p99-s-at-half-load")
		_, again, _, againCPU := rsaRates(b)
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(rate, "deliveries/s")
		b.ReportMetric(max(before, again), "rsa-sign/s")
		b.ReportMetric(rate/max(before, again), "share")
		b.ReportMetric(rateCPU/max(beforeCPU, againCPU), "share-of-cpu")
		b.ReportMetric(float64(h.connections.Load()-connections), "new-connections")
		b.ReportMetric((float64(after.HeapAlloc)-float64(memory.HeapAlloc))/1e6, "grown-MB")
		b.StartTimer()
	}
}
