package media

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"archipel/publicnet/publicnettest"
)

const (
	testKey    = "archipel-test"
	testSecret = "a/secret+with=signs"
)

// s3Server is an S3 server of somebody else's making on this machine, with an empty bucket "pictures": versitygw, found in
// the path or named by TEST_VERSITYGW.
func s3Server(t *testing.T) (host string) {
	t.Helper()
	tool := os.Getenv("TEST_VERSITYGW")
	if tool == "" {
		var err error
		if tool, err = exec.LookPath("versitygw"); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("no S3 server to test with: go install github.com/versity/versitygw/cmd/versitygw@v1.8.0: %v", err)
			}
			t.Skipf("no S3 server to test with: %v", err)
		}
	}
	for range 3 {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		host = ln.Addr().String()
		ln.Close()
		if startS3(t, tool, host) {
			return host
		}
	}
	t.Fatal("the S3 server does not start")
	return ""
}

func startS3(t *testing.T, tool, host string) bool {
	t.Helper()
	root, side := t.TempDir(), t.TempDir()
	var said bytes.Buffer
	cmd := exec.Command(tool, "--port", host, "--access", testKey, "--secret", testSecret, "--quiet", "posix", "--sidecar", side, "--disableotmp", root)
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	client, err := minio.New(host, &minio.Options{Creds: credentials.NewStaticV4(testKey, testSecret, ""), Region: "us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		select {
		case <-ended:
			t.Logf("it ended: %s", &said)
			return false
		default:
		}
		// It may have been made by a request whose answer did not arrive; and if another program was given the port meanwhile, what
		// that says is no list with it.
		_ = client.MakeBucket(t.Context(), "pictures", minio.MakeBucketOptions{})
		list, err := client.ListBuckets(t.Context())
		if err == nil && slices.ContainsFunc(list, func(b minio.BucketInfo) bool { return b.Name == "pictures" }) {
			return true
		}
	}
	t.Logf("it does not answer: %s", &said)
	return false
}

func bucketAt(host, bucket, key, secret string) string {
	u := url.URL{Scheme: "s3", Host: host, Path: "/" + bucket, User: url.UserPassword(key, secret), RawQuery: "region=us-east-1&tls=off"}
	return u.String()
}

func openBucket(t testing.TB, address string) *Store {
	t.Helper()
	s, err := OpenBucket(address)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestStores holds for a folder and for a bucket.
func TestStores(t *testing.T) {
	t.Run("folder", func(t *testing.T) {
		testStore(t, func(sub string) *Store {
			s, err := Open(filepath.Join(t.TempDir(), sub))
			if err != nil {
				t.Fatal(err)
			}
			return s
		})
	})
	t.Run("bucket", func(t *testing.T) {
		host := s3Server(t)
		testStore(t, func(sub string) *Store { return openBucket(t, bucketAt(host, "pictures/"+sub, testKey, testSecret)) })
	})
}

// testStore is what every place to keep pictures in must do; open gives a new and empty one.
func testStore(t *testing.T, open func(sub string) *Store) {
	ctx := t.Context()
	s := open("one")
	if err := s.Reach(ctx); err != nil {
		t.Fatal(err)
	}
	first, err := s.Add(ctx, asJPEG(t, quarters(1000, 700), nil))
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.Add(ctx, asJPEG(t, quarters(1000, 700), nil))
	if err != nil || again != first {
		t.Errorf("the same picture is %v and %v, %v", first, again, err)
	}
	clear := quarters(300, 200)
	clear.Pix[3] = 0
	second, err := s.Add(ctx, asPNG(t, clear, nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range Sizes {
		m, _ := load(t, s, URL(first.URL, size))
		if got := corners(m); got != "RGBW" || m.Bounds().Dx() != min(size, 1000) {
			t.Errorf("size %d: %s %v", size, got, m.Bounds())
		}
	}
	f, err := s.Read(ctx, strings.TrimPrefix(second.URL, Prefix))
	if err != nil || f.ContentType != "image/png" {
		t.Fatalf("%+v %v", f, err)
	}
	// Only the beginning is read: the rest is given up without waiting for it.
	if _, err := io.CopyN(io.Discard, f, 10); err != nil {
		t.Error(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	absent := strings.Repeat("0", 32) + "-800.jpg"
	for _, name := range []string{absent, "", "..", "../one/x", "secret.jpg", strings.ToUpper(absent), absent + "/"} {
		if _, err := s.Read(ctx, name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %v, want that it does not exist", name, err)
		}
		if has(t, s, Prefix+name) {
			t.Errorf("%q is there", name)
		}
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := s.Add(ended, asJPEG(t, quarters(50, 50), nil)); err == nil && !has(t, s, first.URL) {
		t.Error("what was given up is neither done nor undone")
	}

	// A copy has everything, and a second one nothing to do.
	other := open("two")
	if n, err := s.CopyTo(ctx, other); err != nil || n < 6 {
		t.Errorf("%d files copied, %v", n, err)
	}
	if n, err := s.CopyTo(ctx, other); err != nil || n != 0 {
		t.Errorf("%d files copied again, %v", n, err)
	}
	if m, _ := load(t, other, second.URL); corners(m) != "RGBW" {
		t.Error("the copy is another picture")
	}

	// What nothing refers to goes; what is used counts from today.
	old := other.modified(t, first.URL)
	later := time.Now().Add(time.Hour)
	waitPast(old)
	if n, err := other.Sweep(ctx, time.Now().Add(-time.Hour), func(string) bool { return false }); n != 0 || err != nil {
		t.Errorf("%d young files were erased, %v", n, err)
	}
	if n, err := other.Sweep(ctx, later, func(url string) bool { return url == first.URL }); n < 3 || err != nil {
		t.Errorf("%d files erased, %v", n, err)
	}
	if !has(t, other, first.URL) || has(t, other, second.URL) || has(t, other, URL(second.URL, 400)) {
		t.Error("the wrong picture is gone")
	}
	if now := other.modified(t, first.URL); !now.After(old) {
		t.Errorf("a used picture is still of %v", now)
	}
	if f, err = other.Read(ctx, strings.TrimPrefix(first.URL, Prefix)); err != nil || f.ContentType != "image/jpeg" || f.Close() != nil {
		t.Errorf("%+v %v", f, err)
	}
	if !has(t, s, second.URL) {
		t.Error("the other place lost a picture")
	}
}

func (s *Store) modified(t *testing.T, url string) time.Time {
	t.Helper()
	i, err := s.files.stat(t.Context(), strings.TrimPrefix(url, Prefix))
	if err != nil {
		t.Fatal(err)
	}
	return i.modified
}

// waitPast waits until a clock that counts whole seconds shows another one.
func waitPast(t time.Time) {
	for !time.Now().Truncate(time.Second).After(t) {
		time.Sleep(20 * time.Millisecond)
	}
}

// What a bucket answers with beside the bytes: browsers and caches before it rely on it.
func TestBucketHeaders(t *testing.T) {
	host := s3Server(t)
	s := openBucket(t, bucketAt(host, "pictures/deep/er", testKey, testSecret))
	p, err := s.Add(t.Context(), asJPEG(t, quarters(40, 40), nil))
	if err != nil {
		t.Fatal(err)
	}
	b := s.files.(*bucket)
	i, err := b.client.StatObject(t.Context(), "pictures", "deep/er/"+strings.TrimPrefix(p.URL, Prefix), minio.StatObjectOptions{})
	if err != nil || i.ContentType != "image/jpeg" || !strings.Contains(i.Metadata.Get("Cache-Control"), "immutable") {
		t.Errorf("%+v %v", i, err)
	}
	var names []string
	err = s.files.each(t.Context(), func(i info) error { names = append(names, i.name); return nil })
	if err != nil || len(names) != 3 || slices.ContainsFunc(names, func(n string) bool { return !nameForm.MatchString(n) }) {
		t.Errorf("%q %v", names, err)
	}
	if err := s.files.each(t.Context(), func(info) error { return io.EOF }); !errors.Is(err, io.EOF) {
		t.Errorf("%v", err)
	}
}

func TestBucketThatCannotBeUsed(t *testing.T) {
	host := s3Server(t)
	deaf, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { deaf.Close() }) // not before the tests below, which go on when this function has returned
	busy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	t.Cleanup(busy.Close)
	good := openBucket(t, bucketAt(host, "pictures", testKey, testSecret))
	p, err := good.Add(t.Context(), asJPEG(t, quarters(40, 40), nil))
	if err != nil {
		t.Fatal(err)
	}
	for name, address := range map[string]string{
		"wrong secret": bucketAt(host, "pictures", testKey, "not this one"), "wrong key": bucketAt(host, "pictures", "nobody", testSecret),
		"no such bucket": bucketAt(host, "elsewhere", testKey, testSecret), "nobody answers": bucketAt(publicnettest.Refusing(t), "pictures", testKey, testSecret),
		"silence": bucketAt(deaf.Addr().String(), "pictures", testKey, testSecret), "out of order": bucketAt(strings.TrimPrefix(busy.URL, "http://"), "pictures", testKey, testSecret),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			s := openBucket(t, address)
			checks := map[string]error{"reach": s.Reach(ctx)}
			_, checks["add"] = s.Add(ctx, asJPEG(t, quarters(41, 40), nil))
			_, checks["read"] = s.Read(ctx, strings.TrimPrefix(p.URL, Prefix))
			_, checks["has"] = s.Has(ctx, p.URL)
			_, checks["sweep"] = s.Sweep(ctx, time.Now().Add(time.Hour), func(string) bool { return false })
			for what, err := range checks {
				if err == nil || errors.Is(err, fs.ErrNotExist) || what != "sweep" && !errors.Is(err, ErrAway) && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%s: %v, want that the bucket cannot be used", what, err)
				}
				if strings.Contains(fmt.Sprint(err), testSecret) || strings.Contains(fmt.Sprint(err), "not this one") {
					t.Errorf("%s tells the secret: %v", what, err)
				}
			}
		})
	}
}

func TestBucketAddresses(t *testing.T) {
	for _, address := range []string{
		"s3://k:s@host/bucket", "s3://k:s@host:9000/bucket/folder/sub?region=fr-par&tls=off&path=on", "s3://k:" + url.QueryEscape(testSecret) + "@s3.fr-par.scw.cloud/bucket?region=fr-par",
	} {
		if _, err := OpenBucket(address); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
	for _, address := range []string{"", "s3://", "s3://host/bucket", "s3://k@host/bucket", "s3://k:@host/bucket", "s3://k:hush@host", "s3://k:hush@host/", "https://k:hush@host/bucket",
		"s3://k:hush@host/bucket?regoin=x", "s3://k:hush@host/bucket?tls=no", "s3://k:hush@host/bucket?region=a&region=b", "s3://k:hu%zzsh@host/bucket"} {
		_, err := OpenBucket(address)
		if err == nil || strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), "zzsh") {
			t.Errorf("%s: %v", address, err)
		}
	}
}
