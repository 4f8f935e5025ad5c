package transfer

import (
	"context"
	"encoding/json"

	"archipel/directory"
)

// backupRecord is a record that never expires. Those that do are sessions and links: a backup would bring them back.
type backupRecord struct {
	Kind  string          `json:"kind"`
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"`
}

func (r *backupRecord) record() directory.Record {
	return directory.Record{Key: r.Key, Value: r.Value}
}

// records writes the records of every kind.
func (b *backupWriter) records(ctx context.Context, s directory.Store, sum *BackupSummary) error {
	return eachRecord(ctx, s, func(kind string, r directory.Record) error {
		sum.Records++
		return b.line(backupLine{Record: &backupRecord{kind, r.Key, r.Value}})
	})
}

// standing are the values of all records of a store that a backup would hold, by kind and key.
func standing(ctx context.Context, s directory.Store) (map[[2]string][]byte, error) {
	there := map[[2]string][]byte{}
	err := eachRecord(ctx, s, func(kind string, r directory.Record) error {
		there[[2]string{kind, r.Key}] = r.Value
		return nil
	})
	return there, err
}

func eachRecord(ctx context.Context, s directory.Store, fn func(kind string, r directory.Record) error) error {
	kinds, err := s.RecordKinds(ctx)
	if err != nil {
		return err
	}
	for _, kind := range kinds {
		for after := ""; ; {
			page, err := s.Records(ctx, kind, after, batchSize)
			if err != nil {
				return err
			}
			if len(page) == 0 {
				break
			}
			for _, r := range page {
				after = r.Key
				if !r.Expires.IsZero() {
					continue
				}
				if err := fn(kind, r); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
