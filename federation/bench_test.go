package federation_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"archipel/federation/fedtest"
)

// cpu is the processor time that this process has spent. Other than the time on the wall it tells what something costs on a
// machine that others use too.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// perSecond calls do as often as it can on every processor for a while: how often in a second, and in a second of one
// processor's time.
func perSecond(do func()) (rate, ofCPU float64) {
	const during = 2 * time.Second
	var n atomic.Int64
	var wg sync.WaitGroup
	begin, spent := time.Now(), cpu()
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for time.Since(begin) < during {
				do()
				n.Add(1)
			}
		})
	}
	wg.Wait()
	return float64(n.Load()) / time.Since(begin).Seconds(), float64(n.Load()) / (cpu() - spent).Seconds()
}

// rsaRates is what RSA-2048 alone allows on this machine, on all of its processors.
func rsaRates(b *testing.B) (verifying, signing, verifyingCPU, signingCPU float64) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	sum := sha256.Sum256([]byte("x"))
	sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		b.Fatal(err)
	}
	verifying, verifyingCPU = perSecond(func() {
		if err := rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, sum[:], sig); err != nil {
			panic(err)
		}
	})
	signing, signingCPU = perSecond(func() {
		if _, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:]); err != nil {
			panic(err)
		}
	})
	return verifying, signing, verifyingCPU, signingCPU
}

// BenchmarkInboxLoad sends signed activities, each with its own id and body, from many connections, with the keys cached:
// how many are verified, durable and answered 202 in a second, while what came is being done; and that as a share of what
// verifying RSA-2048 alone allows. Run it with -benchtime=1x.
func BenchmarkInboxLoad(b *testing.B) {
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	in := open(b, nil)
	in.s.Unlimited()
	p := fedtest.NewPeer(b)
	p.Post(in.inbox(), p.Activity("Follow", in.relay()), nil)
	p.Await("Accept", 1)
	const many = 20_000
	for b.Loop() {
		b.StopTimer()
		var requests [many]*http.Request
		perSecondOf(many, func(i int) {
			body, err := json.Marshal(p.Activity("Like", in.relay()))
			if err != nil {
				panic(err)
			}
			requests[i] = httptest.NewRequest(http.MethodPost, in.inbox(), bytes.NewReader(body))
			requests[i].Header.Set("Content-Type", "application/activity+json")
			p.Sign(requests[i], body, time.Now())
		})
		before, _, beforeCPU, _ := rsaRates(b)
		b.StartTimer()
		var next atomic.Int64
		var wg sync.WaitGroup
		begin, spent := time.Now(), cpu()
		for range 2048 {
			wg.Go(func() {
				for i := next.Add(1) - 1; i < many; i = next.Add(1) - 1 {
					w := answer{header: http.Header{}}
					in.s.ServeHTTP(&w, requests[i])
					if w.code != http.StatusAccepted {
						panic(w.code)
					}
				}
			})
		}
		wg.Wait()
		rate, rateCPU := many/time.Since(begin).Seconds(), many/(cpu()-spent).Seconds()
		b.StopTimer()
		after, _, afterCPU, _ := rsaRates(b)
		limit := max(before, after)
		for !in.idle() {
			time.Sleep(5 * time.Millisecond)
		}
		b.ReportMetric(many/time.Since(begin).Seconds(), "accepted-and-done/s")
		b.ReportMetric(rate, "accepted/s")
		b.ReportMetric(limit, "rsa-verify/s")
		b.ReportMetric(rate/limit, "share")
		b.ReportMetric(rateCPU/max(beforeCPU, afterCPU), "share-of-cpu")
		b.StartTimer()
	}
}

// answer is what the handler answered, and nothing else that would cost time.
type answer struct {
	header http.Header
	code   int
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) Write(b []byte) (int, error) { return len(b), nil }
func (a *answer) WriteHeader(code int)        { a.code = code }

// perSecondOf calls do(0) ... do(n-1) on every processor.
func perSecondOf(n int, do func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := int(next.Add(1) - 1); i < n; i = int(next.Add(1) - 1) {
				do(i)
			}
		})
	}
	wg.Wait()
}
