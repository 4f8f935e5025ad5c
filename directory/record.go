package directory

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Record is a small document beside the log: an account, a session, a mail that waits. It is found by its kind and key.
type Record struct {
	Key     string
	Value   []byte    // JSON
	Rev     int64     // 1, 2, ...; 0 for a record that is not there
	Expires time.Time // from then on it is not there; zero: never. Kept to the millisecond, in UTC
}

// Records is the part of a [Store] that keeps small documents. Kinds are words of the program ("account"), keys are
// anything of up to [MaxRecordKey] bytes without control characters. A record that has expired is absent for every
// method, and is erased some time later. Backups hold the records that never expire.
type Records interface {
	// Record returns a record; one that is absent has Rev 0.
	Record(ctx context.Context, kind, key string) (Record, error)
	// PutRecord writes r if the stored revision is r.Rev (0: absent), else an error wrapping [ErrStale]. What was
	// written has the revision r.Rev+1.
	PutRecord(ctx context.Context, kind string, r Record) error
	// DeleteRecord erases a record if the stored revision is rev, else an error wrapping [ErrStale]: of several who
	// delete the same revision, one succeeds. With rev 0 it erases whatever is there, if anything.
	DeleteRecord(ctx context.Context, kind, key string, rev int64) error
	// Records returns up to limit records of a kind with keys after the given one, in ascending order of their bytes.
	Records(ctx context.Context, kind, after string, limit int) ([]Record, error)
	// RecordKinds returns the kinds that have records, sorted.
	RecordKinds(ctx context.Context) ([]string, error)
}

// MaxRecordKey is the length of the longest key of a record, in bytes; MaxRecordValue that of the largest value.
const (
	MaxRecordKey   = 400
	MaxRecordValue = 1 << 20
)

// CheckRecord returns what makes a record impossible to store; stores call it before writing.
func CheckRecord(kind string, r Record) error {
	switch {
	case kind == "" || len(kind) > 40 || strings.Trim(kind, "abcdefghijklmnopqrstuvwxyz0123456789-") != "":
		return fmt.Errorf("record: %.60q is no kind", kind)
	case r.Key == "" || len(r.Key) > MaxRecordKey:
		return fmt.Errorf("record of kind %s: the key has %d bytes, it may have 1 to %d", kind, len(r.Key), MaxRecordKey)
	case strings.ContainsFunc(r.Key, func(c rune) bool { return c < ' ' || c == 0x7f || c == 0xfffd }):
		return fmt.Errorf("record of kind %s: %.60q is no key", kind, r.Key)
	case len(r.Value) > MaxRecordValue:
		return fmt.Errorf("record %s %s: the value has %d bytes, %d are allowed", kind, r.Key, len(r.Value), MaxRecordValue)
	case !json.Valid(r.Value):
		return fmt.Errorf("record %s %s: the value is not JSON", kind, r.Key)
	case r.Rev < 0:
		return fmt.Errorf("record %s %s: revision %d", kind, r.Key, r.Rev)
	}
	return nil
}
