package geocode

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver that OpenCache uses
)

// Cache keeps answers of servers between runs. Implementations may be used by
// several goroutines at the same time.
type Cache interface {
	// Get gives what was put under a key, and when; false when there is nothing.
	Get(ctx context.Context, key string) (value []byte, stored time.Time, ok bool, err error)
	// Put keeps a value under a key, in place of an older one.
	Put(ctx context.Context, key string, value []byte, stored time.Time) error
}

// MemoryCache is a Cache that lasts as long as the program and holds a bounded
// number of answers; the zero value is ready.
type MemoryCache struct {
	mu    sync.Mutex
	items map[string]memoryItem
}

type memoryItem struct {
	value  []byte
	stored time.Time
}

// maxMemoryItems bounds a MemoryCache: about 20 MB.
const maxMemoryItems = 10000

// Get keeps the promise of Cache.
func (c *MemoryCache) Get(_ context.Context, key string) ([]byte, time.Time, bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	item, ok := c.items[key]
	return item.value, item.stored, ok, nil
}

// Put keeps the promise of Cache.
func (c *MemoryCache) Put(_ context.Context, key string, value []byte, stored time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.items == nil {
		c.items = map[string]memoryItem{}
	}
	if _, ok := c.items[key]; !ok && len(c.items) >= maxMemoryItems {
		for k := range c.items { // any will do: what is asked again comes back
			delete(c.items, k)
			break
		}
	}
	c.items[key] = memoryItem{value, stored}
	return nil
}

// FileCache is a Cache in a SQLite file.
type FileCache struct{ db *sql.DB }

// OpenCache opens or makes the file at path. Close it when done.
func OpenCache(ctx context.Context, path string) (*FileCache, error) {
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() + "?_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=busy_timeout(5000)"
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("open geocoding cache %s: %w", path, err)
	}
	db.SetMaxOpenConns(2)
	const schema = `CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, value BLOB NOT NULL, stored INTEGER NOT NULL) WITHOUT ROWID;
		CREATE INDEX IF NOT EXISTS answers_stored ON answers (stored);`
	if _, err := db.ExecContext(ctx, schema); err != nil {
		db.Close()
		return nil, fmt.Errorf("open geocoding cache %s: %w", path, err)
	}
	return &FileCache{db}, nil
}

// Get keeps the promise of Cache.
func (c *FileCache) Get(ctx context.Context, key string) ([]byte, time.Time, bool, error) {
	var value []byte
	var stored int64
	err := c.db.QueryRowContext(ctx, `SELECT value, stored FROM answers WHERE key = ?`, key).Scan(&value, &stored)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, time.Time{}, false, nil
	}
	if err != nil {
		return nil, time.Time{}, false, fmt.Errorf("geocoding cache: %w", err)
	}
	return value, time.Unix(stored, 0), true, nil
}

// Put keeps the promise of Cache.
func (c *FileCache) Put(ctx context.Context, key string, value []byte, stored time.Time) error {
	_, err := c.db.ExecContext(ctx, `INSERT OR REPLACE INTO answers (key, value, stored) VALUES (?, ?, ?)`, key, value, stored.Unix())
	if err != nil {
		return fmt.Errorf("geocoding cache: %w", err)
	}
	return nil
}

// PruneAge is how old an answer may be before Prune should forget it: until
// then it still helps when the server is down.
const PruneAge = 2 * keepFound

// Prune forgets the answers stored before a time, and says how many; call it
// now and then with the time PruneAge ago.
func (c *FileCache) Prune(ctx context.Context, before time.Time) (int64, error) {
	r, err := c.db.ExecContext(ctx, `DELETE FROM answers WHERE stored < ?`, before.Unix())
	if err != nil {
		return 0, fmt.Errorf("geocoding cache: %w", err)
	}
	return r.RowsAffected()
}

// Close ends the use of the file.
func (c *FileCache) Close() error { return c.db.Close() }
