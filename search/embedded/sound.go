package embedded

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/blevesearch/bleve/v2/util"
	"go.etcd.io/bbolt"

	"archipel/directory"
)

// sound reads the files of an index before bleve does, and returns [directory.ErrCorrupt] when they are damaged.
// bleve reads some of them in goroutines of its own, where a page that is not there or makes no sense would end the
// whole program; here it is an error.
func sound(path string) error {
	store := filepath.Join(path, "store")
	segments := map[string]bool{}
	if err := soundRoot(filepath.Join(store, "root.bolt"), segments); err != nil {
		return err
	}
	// What is not listed is of no use: a process that was killed had not finished writing it.
	for s := range segments {
		if err := soundSegment(filepath.Join(store, filepath.Base(s))); err != nil {
			return err
		}
	}
	return nil
}

// soundRoot visits every page that can be reached in the file that lists the segments, and collects their names.
func soundRoot(path string, segments map[string]bool) (err error) {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%s: %v: %w", path, r, directory.ErrCorrupt)
		}
	}()
	db, err := bbolt.Open(path, 0, &bbolt.Options{Timeout: 2 * time.Second, ReadOnly: true})
	if err != nil {
		return err
	}
	defer db.Close()
	return db.View(func(tx *bbolt.Tx) error {
		if tx.Size() > info.Size() {
			return fmt.Errorf("%s is cut short: %d of %d bytes: %w", path, info.Size(), tx.Size(), directory.ErrCorrupt)
		}
		return tx.ForEach(func(_ []byte, b *bbolt.Bucket) error { return visit(b, segments) })
	})
}

func visit(b *bbolt.Bucket, segments map[string]bool) error {
	return b.ForEach(func(k, v []byte) error {
		switch {
		case v == nil:
			return visit(b.Bucket(k), segments)
		case bytes.Equal(k, util.BoltPathKey):
			segments[string(v)] = true
		}
		return nil
	})
}

// soundSegment compares a segment with the checksum at its end.
func soundSegment(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	size := info.Size() - crc32.Size
	if size < 0 {
		return fmt.Errorf("%s is cut short: %w", path, directory.ErrCorrupt)
	}
	sum, last := crc32.NewIEEE(), make([]byte, crc32.Size)
	if _, err := io.CopyN(sum, f, size); err != nil {
		return err
	}
	if _, err := io.ReadFull(f, last); err != nil {
		return err
	}
	if sum.Sum32() != binary.BigEndian.Uint32(last) {
		return fmt.Errorf("%s does not match its checksum: %w", path, directory.ErrCorrupt)
	}
	return nil
}
