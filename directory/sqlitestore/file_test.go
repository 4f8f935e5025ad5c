package sqlitestore

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"archipel/directory"
)

// full checks a store that has no room left: it says so, keeps what it has, reads, and writes again given room.
func full(t *testing.T, s *Store, room func()) {
	t.Helper()
	head := directory.Seq(0)
	var err error
	for range 200 {
		var n int
		if n, err = s.Append(bg, head, changesAfter(head, 500)); err != nil {
			if n != 0 {
				t.Errorf("Append = %d with an error", n)
			}
			break
		}
		head += 500
	}
	if !errors.Is(err, directory.ErrFull) {
		t.Fatalf("Append without room: %v, want ErrFull", err)
	}
	if err := s.PutSetting(bg, "k", []byte(`"`+strings.Repeat("x", 1<<20)+`"`), 0); !errors.Is(err, directory.ErrFull) {
		t.Errorf("PutSetting without room: %v, want ErrFull", err)
	}
	if h, err := s.Head(bg); h != head || err != nil {
		t.Errorf("Head = %d, %v: want %d", h, err, head)
	}
	n := 0
	if err := s.Scan(bg, "", func(es []directory.Entry) error { n += len(es); return nil }); err != nil || n != int(head) {
		t.Errorf("Scan = %d entries, %v: want %d", n, err, head)
	}
	room()
	if n, err := s.Append(bg, head, changesAfter(head, 500)); n != 500 || err != nil {
		t.Errorf("Append with room again = %d, %v", n, err)
	}
}

func TestFull(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	if _, err := s.write.Exec("PRAGMA max_page_count = 800"); err != nil {
		t.Fatal(err)
	}
	full(t, s, func() {
		if _, err := s.write.Exec("PRAGMA max_page_count = 1000000"); err != nil {
			t.Fatal(err)
		}
	})
}

// TestFullDisk uses a real file system of 6 MB, where the tests may make one.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("this user cannot mount a small disk (%v); TestFull limits the file instead: %s", err, out)
	}
	t.Cleanup(func() {
		for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
			out, err := exec.Command("umount", dir).CombinedOutput()
			if err == nil {
				return
			}
			if time.Now().After(deadline) { // until then somebody may be looking at it, such as what watches disks
				t.Errorf("umount: %v: %s", err, out)
				return
			}
		}
	})
	ballast := filepath.Join(dir, "ballast")
	write(t, ballast, strings.Repeat("x", 3<<20))
	s := mustOpen(t, dir)
	full(t, s, func() {
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
	})
	s.Close()
	if err := s.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	// A disk that is full at start is said to be.
	write(t, ballast, "")
	f, err := os.OpenFile(ballast, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	f.Close()
	s, err = Open(bg, dir)
	if err == nil {
		head, _ := s.Head(bg)
		_, err = s.Append(bg, head, changesAfter(head, 500))
		s.Close()
	}
	if !errors.Is(err, directory.ErrFull) {
		t.Errorf("on a full disk: %v, want ErrFull", err)
	}
}

func TestPermissions(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no permission bits")
	}
	dir := filepath.Join(t.TempDir(), "a", "données d'essai? #1%20")
	s := mustOpen(t, dir)
	fill(t, s, 1)
	mode := func(path string, want os.FileMode) {
		t.Helper()
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", path, got, want)
		}
	}
	mode(dir, 0o700)
	for _, suffix := range []string{"", "-wal", "-shm"} {
		mode(filepath.Join(dir, File+suffix), 0o600)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("after Close: %v, %v: want the database alone", left, err)
	}
}

func TestNotWritable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "")
	dirs := map[string]string{"a file in the way": file, "below a file": filepath.Join(file, "x")}
	if runtime.GOOS == "linux" {
		dirs["a place where nobody writes"] = "/proc/archipel"
	}
	database := t.TempDir()
	if err := os.Mkdir(filepath.Join(database, File), 0o700); err != nil {
		t.Fatal(err)
	}
	dirs["a folder for a database"] = database
	if os.Getuid() != 0 {
		locked := t.TempDir()
		if err := os.Chmod(locked, 0o500); err != nil {
			t.Fatal(err)
		}
		dirs["a folder of others"] = locked
	}
	for name, dir := range dirs {
		_, err := Open(bg, dir)
		if !errors.Is(err, directory.ErrUnavailable) || !strings.Contains(err.Error(), dir) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v: want one line, ErrUnavailable, naming %s", name, err, dir)
		}
	}
}

// TestMoved: nothing is acknowledged once the file is gone from its place, and all goes on when it is back.
func TestMoved(t *testing.T) {
	base := t.TempDir()
	dir := filepath.Join(base, "data")
	s := mustOpen(t, dir)
	fill(t, s, 1)
	if err := os.Rename(dir, dir+"2"); err != nil {
		t.Fatal(err)
	}
	if err := s.Ping(bg); !errors.Is(err, directory.ErrUnavailable) {
		t.Errorf("Ping: %v, want ErrUnavailable", err)
	}
	if _, err := s.Append(bg, 1, changesAfter(1, 1)); !errors.Is(err, directory.ErrUnavailable) {
		t.Errorf("Append: %v, want ErrUnavailable", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, File), "")
	if err := s.Ping(bg); !errors.Is(err, directory.ErrUnavailable) {
		t.Errorf("Ping with another file in place: %v, want ErrUnavailable", err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir+"2", dir); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Append(bg, 1, changesAfter(1, 1)); n != 1 || err != nil {
		t.Errorf("Append when it is back = %d, %v", n, err)
	}
	if err := s.Ping(bg); err != nil {
		t.Errorf("Ping: %v", err)
	}
}

// TestErased: what Redact erases is gone from the files, not only from the answers.
func TestErased(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	const secret = "Marguerite-Yourcenar-06.12.34.56.78"
	c := changesAfter(0, 20)
	c[4].Entry.Private = &directory.Private{Note: secret + strings.Repeat(" and a long story", 1000)}
	c[4].Note = secret
	if _, err := s.Append(bg, 0, c); err != nil {
		t.Fatal(err)
	}
	later := changesAfter(20, 1)
	later[0].Entry.ID = c[4].Entry.ID
	if _, err := s.Append(bg, 20, later); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Redact(bg, c[4].Entry.ID, 20); n != 1 || err != nil {
		t.Fatalf("Redact = %d, %v", n, err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		b, err := exec.Command("cat", f).Output() // in a process of its own: closing the file here would drop our locks
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), secret) {
			t.Errorf("%s still holds what was redacted", filepath.Base(f))
		}
	}
}

// TestFirstOpens: several programs that start on an empty folder at once all get the same store.
func TestFirstOpens(t *testing.T) {
	for range 10 {
		dir := filepath.Join(t.TempDir(), "new")
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				s, err := Open(bg, dir)
				if err != nil {
					t.Error(err)
					return
				}
				defer s.Close()
				for {
					head, err := s.Head(bg)
					if err == nil {
						_, err = s.Append(bg, head, changesAfter(head, 1))
					}
					if err == nil {
						return
					}
					if !errors.Is(err, directory.ErrStale) {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		if h, err := mustOpen(t, dir).Head(bg); h != 6 || err != nil {
			t.Errorf("Head = %d, %v: want 6", h, err)
		}
	}
}
