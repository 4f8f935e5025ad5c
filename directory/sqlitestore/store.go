// Package sqlitestore keeps a directory in one SQLite file: the embedded default.
//
// The log and its projection are written in one transaction in WAL mode with full synchronisation, so a write that was
// acknowledged survives a crash of the machine, and readers never wait for a writer. Several processes may use one
// file at the same time, on a local file system.
package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"archipel/directory"

	_ "modernc.org/sqlite" // the database/sql driver "sqlite"
)

// File is the name of the database in the data directory. SQLite keeps two files of its own beside it (-wal, -shm).
const File = "archipel.db"

// busyTimeout is how long a write waits for another process to finish its own.
const busyTimeout = 10 * time.Second

// Store is a [directory.Store] in one file.
type Store struct {
	path   string
	opened os.FileInfo // which file path named at Open
	write  *sql.DB     // one connection: writers of this process queue here, not on the file lock
	read   *sql.DB
	reads  statements
	writes statements
	closed atomic.Bool

	recordWrites atomic.Int64
}

var _ directory.Store = (*Store)(nil)

// Open opens or creates the store in dir, and dir itself when it is missing. What it creates is readable by its owner
// only.
//
// The error wraps [directory.ErrCorrupt] when the file is damaged, is not a database of this program, or was written
// by a newer version of it; [directory.ErrUnavailable] when it cannot be opened or written.
func Open(ctx context.Context, dir string) (*Store, error) {
	path, err := filepath.Abs(filepath.Join(dir, File))
	if err != nil {
		return nil, fmt.Errorf("data directory %s: %w", dir, err)
	}
	if err := create(path); err != nil {
		kind := directory.ErrUnavailable
		if errors.Is(err, syscall.ENOSPC) {
			kind = directory.ErrFull
		}
		return nil, fmt.Errorf("data directory %s: %w: %w", dir, kind, err)
	}
	// Turning a new file into one with a write-ahead log does not wait for others who do so at the same moment.
	for deadline := time.Now().Add(busyTimeout); ; {
		s, err := open(ctx, path)
		if !busy(err) || time.Now().After(deadline) || ctx.Err() != nil {
			return s, err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func open(ctx context.Context, path string) (_ *Store, err error) {
	s := &Store{path: path}
	if err := s.inspect(ctx); err != nil {
		return nil, err
	}
	s.write, err = sql.Open("sqlite", dsn(path, "_txlock=immediate&_pragma=secure_delete(1)&_pragma=journal_size_limit(67108864)"))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	s.write.SetMaxOpenConns(1)
	s.read, err = sql.Open("sqlite", dsn(path, "_pragma=query_only(1)"))
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	s.read.SetMaxOpenConns(max(4, 2*runtime.GOMAXPROCS(0)))
	s.read.SetMaxIdleConns(max(4, 2*runtime.GOMAXPROCS(0)))
	if err := s.prepare(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// create makes the directory and an empty file with narrow permissions, before SQLite makes them with wide ones: it
// gives its -wal and -shm files the permissions of the database.
func create(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	// Never open an existing file here: closing it would drop the POSIX locks this process holds on it.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

func dsn(path, more string) string {
	return plainDSN(path) + "&_journal_mode=WAL&_synchronous=FULL&" + more
}

func plainDSN(path string) string {
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(path)}
	return fmt.Sprintf("%s?_busy_timeout=%d", u.String(), busyTimeout.Milliseconds())
}

// prepare brings the schema up to date and looks for damage where that is cheap.
func (s *Store) prepare(ctx context.Context) error {
	var mode string
	if err := s.write.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode); err != nil {
		return s.fail(ctx, "open "+s.path, err)
	}
	if mode != "wal" {
		return fmt.Errorf("open %s: %w: this file system does not allow a shared write-ahead log", s.path, directory.ErrUnavailable)
	}
	if err := s.migrate(ctx); err != nil {
		return err
	}
	if err := s.quickCheck(ctx); err != nil {
		return s.fail(ctx, "open "+s.path, err)
	}
	s.reads.db, s.writes.db = s.read, s.write
	for _, query := range written {
		if _, err := s.writes.of(ctx, query); err != nil {
			return s.fail(ctx, "open "+s.path, err)
		}
	}
	info, err := os.Stat(s.path)
	if err != nil {
		return fmt.Errorf("open %s: %w: %w", s.path, directory.ErrUnavailable, err)
	}
	s.opened = info
	return nil
}

// quickCheckPages is the size up to which Open reads the whole file for damage: some 50 ms. A larger file is checked
// where it breaks most easily, and everywhere else when it is read.
const quickCheckPages = 4096

func (s *Store) quickCheck(ctx context.Context) error {
	var pages int
	if err := s.read.QueryRowContext(ctx, "PRAGMA page_count").Scan(&pages); err != nil {
		return err
	}
	if pages <= quickCheckPages {
		var verdict string
		if err := s.read.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil {
			return err
		}
		if verdict != "ok" {
			return fmt.Errorf("%w: %s", directory.ErrCorrupt, verdict)
		}
	}
	// The newest change, its entry and the projection of it agree in any sound file, whatever its size.
	var head, projected sql.NullInt64
	err := s.read.QueryRowContext(ctx, `SELECT c.seq, e.version FROM (SELECT seq, entry_id FROM changes ORDER BY seq DESC LIMIT 1) c
		LEFT JOIN entries e ON e.id = c.entry_id`).Scan(&head, &projected)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	if projected.Int64 < head.Int64 {
		return fmt.Errorf("%w: change %d is not in the entries", directory.ErrCorrupt, head.Int64)
	}
	return nil
}

// Ping reports whether the file is still where it was and answers.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.present(); err != nil {
		return err
	}
	_, err := s.Head(ctx)
	return err
}

// present guards writes: SQLite would go on writing, and lose everything, when somebody moved or deleted the file.
func (s *Store) present() error {
	if s.closed.Load() {
		return fmt.Errorf("%s: %w: closed", File, directory.ErrUnavailable)
	}
	info, err := os.Stat(s.path)
	if err != nil {
		return fmt.Errorf("%w: %w", directory.ErrUnavailable, err)
	}
	if !os.SameFile(info, s.opened) {
		return fmt.Errorf("%s: %w: another file took its place", s.path, directory.ErrUnavailable)
	}
	return nil
}

// Close waits for what is under way and releases the file. Closing twice does nothing.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	var errs []error
	if s.read != nil {
		errs = append(errs, s.read.Close())
	}
	if s.write != nil { // last, so that its connection leaves a file without a log beside it
		errs = append(errs, s.write.Close())
	}
	return errors.Join(errs...)
}
