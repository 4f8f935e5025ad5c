package transfer

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"reflect"
	"time"

	"archipel/directory"
)

// A backup is gzip'd JSON, one object a line: a header, settings, records that never expire, cursors, the changes of the log in
// order, and a last line with their numbers and the SHA-256 of every byte before it. It holds everything, private fields included.
const (
	backupFormat  = "archipel-backup"
	backupVersion = 1
)

// ErrBackup reports a file that is no backup, or one that is damaged or cut short. Nothing was written.
var ErrBackup = errors.New("not a usable backup")

// ErrNotEmpty reports that the store to restore into holds something else. Nothing was written.
var ErrNotEmpty = errors.New("the directory to restore into is not empty")

type backupLine struct {
	Header  *backupHeader  `json:"header,omitempty"`
	Setting *backupSetting `json:"setting,omitempty"`
	Record  *backupRecord  `json:"record,omitempty"`
	Cursor  *backupCursor  `json:"cursor,omitempty"`
	Change  *backupChange  `json:"change,omitempty"`
	End     *backupEnd     `json:"end,omitempty"`
}

type backupHeader struct {
	Format  string        `json:"format"`
	Version int           `json:"version"`
	Created time.Time     `json:"created"`
	Head    directory.Seq `json:"head"`
}

type backupSetting struct {
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"`
}

type backupCursor struct {
	Name string        `json:"name"`
	At   directory.Seq `json:"at"`
}

type backupChange struct {
	directory.Change
	Entry json.RawMessage `json:"entry"`
}

type backupEnd struct {
	Changes  int    `json:"changes"`
	Settings int    `json:"settings"`
	Records  int    `json:"records,omitempty"`
	Cursors  int    `json:"cursors"`
	SHA256   string `json:"sha256"`
}

// BackupSummary tells what a backup holds.
type BackupSummary struct {
	Created           time.Time
	Changes, Settings int
	Records           int
	Cursors           int
	Resumed           int // changes that an earlier, interrupted restore had written
}

// backupWriter writes lines and their checksum.
type backupWriter struct {
	w   io.Writer
	sum hash.Hash
}

func (b *backupWriter) line(l backupLine) error {
	enc := json.NewEncoder(io.MultiWriter(b.w, b.sum))
	enc.SetEscapeHTML(false) // documents stay as they were written
	return enc.Encode(l)
}

// Backup writes everything that the store holds: settings, the log up to its head at this moment, and the positions of
// the followers of those names (so that a restored instance does not deliver everything to everybody again). Writers
// need not stop. The file is complete only when Backup returns nil.
func Backup(ctx context.Context, s directory.Store, w io.Writer, followers ...string) (*BackupSummary, error) {
	sum := &BackupSummary{Created: time.Now().UTC()}
	zip := gzip.NewWriter(w)
	buf := bufio.NewWriterSize(zip, 1<<16)
	b := &backupWriter{buf, sha256.New()}
	if err := b.all(ctx, s, sum, followers); err != nil {
		return sum, fmt.Errorf("backup: %w", err)
	}
	if err := errors.Join(buf.Flush(), zip.Close()); err != nil {
		return sum, fmt.Errorf("backup: %w", err)
	}
	return sum, nil
}

func (b *backupWriter) all(ctx context.Context, s directory.Store, sum *BackupSummary, followers []string) error {
	// Cursors are read before the head, so that none is ahead of the log that is saved.
	var cursors []backupCursor
	for _, name := range followers {
		at, err := s.Cursor(ctx, name)
		if err != nil {
			return fmt.Errorf("cursor %s: %w", name, err)
		}
		if at > 0 {
			cursors = append(cursors, backupCursor{name, at})
		}
	}
	head, err := s.Head(ctx)
	if err != nil {
		return err
	}
	if err := b.line(backupLine{Header: &backupHeader{backupFormat, backupVersion, sum.Created, head}}); err != nil {
		return err
	}
	keys, err := s.Settings(ctx)
	if err != nil {
		return err
	}
	for _, key := range keys {
		value, _, err := s.Setting(ctx, key)
		if err != nil {
			return fmt.Errorf("setting %s: %w", key, err)
		}
		if value == nil {
			continue
		}
		if err := b.line(backupLine{Setting: &backupSetting{key, value}}); err != nil {
			return fmt.Errorf("setting %s: %w", key, err)
		}
		sum.Settings++
	}
	if err := b.records(ctx, s, sum); err != nil {
		return err
	}
	for i := range cursors {
		if err := b.line(backupLine{Cursor: &cursors[i]}); err != nil {
			return err
		}
		sum.Cursors++
	}
	for after := directory.Seq(0); after < head; {
		changes, err := s.Changes(ctx, after, batchSize)
		if err != nil {
			return err
		}
		for i := range changes {
			c := &changes[i]
			if c.Seq > head {
				break
			}
			if c.Seq != after+1 {
				return fmt.Errorf("the log lacks change %d: %w", after+1, directory.ErrCorrupt)
			}
			e, err := directory.EncodeStored(&c.Entry)
			if err != nil {
				return fmt.Errorf("change %d: %w", c.Seq, err)
			}
			if err := b.line(backupLine{Change: &backupChange{*c, e}}); err != nil {
				return err
			}
			sum.Changes++
			after = c.Seq
		}
		if len(changes) == 0 {
			return fmt.Errorf("the log ends at change %d, before its head %d: %w", after, head, directory.ErrCorrupt)
		}
	}
	return b.line(backupLine{End: &backupEnd{sum.Changes, sum.Settings, sum.Records, sum.Cursors, hex.EncodeToString(b.sum.Sum(nil))}})
}

// Restore rebuilds a directory, its log included, in an empty store. It reads the file twice: first to check all of
// it, then to write; a reader that cannot seek is copied to a temporary file for that. A store that holds the beginning
// of the same log, as an interrupted restore leaves it, is completed. A damaged file is ErrBackup, a store that holds
// anything else is ErrNotEmpty, and in both cases nothing was written.
//
// The directory must be opened after Restore, not before.
func Restore(ctx context.Context, s directory.Store, r io.Reader) (*BackupSummary, error) {
	file, ok := r.(io.ReadSeeker)
	if ok {
		_, err := file.Seek(0, io.SeekCurrent)
		ok = err == nil // a pipe is a file that cannot
	}
	if !ok {
		tmp, err := os.CreateTemp("", "archipel-restore-")
		if err != nil {
			return nil, fmt.Errorf("restore: %w", err)
		}
		defer os.Remove(tmp.Name())
		defer tmp.Close()
		if _, err := io.Copy(tmp, r); err != nil {
			return nil, fmt.Errorf("restore: %w", err)
		}
		if _, err := tmp.Seek(0, io.SeekStart); err != nil {
			return nil, fmt.Errorf("restore: %w", err)
		}
		file = tmp
	}
	start, err := file.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	p := &restorer{ctx: ctx, s: s}
	if err := p.check(file); err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	if _, err := file.Seek(start, io.SeekStart); err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	if err := p.write(file); err != nil {
		return &p.sum, fmt.Errorf("restore: %w", err)
	}
	return &p.sum, nil
}

// readBackup calls fn with every line of a backup and checks its form, its order and its checksum.
func readBackup(ctx context.Context, r io.Reader, fn func(*backupLine) error) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: "+format, append([]any{ErrBackup}, args...)...)
	}
	zip, err := gzip.NewReader(bufio.NewReaderSize(r, 1<<16))
	if err != nil {
		return bad("it is not compressed as a backup is (%v)", err)
	}
	sum := sha256.New()
	lines := &lineReader{r: bufio.NewReaderSize(zip, 1<<16), whole: true}
	var head directory.Seq
	var changes, settings, records, cursors int
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		raw, n, err := lines.next()
		switch {
		case err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF):
			return bad("it was cut short after line %d", max(n-1, 0))
		case err != nil:
			return bad("it is damaged at line %d (%v)", n, err)
		}
		var l backupLine
		if err := json.Unmarshal(raw, &l); err != nil {
			return bad("line %d is damaged", n)
		}
		if n == 1 {
			h := l.Header
			if h == nil || h.Format != backupFormat {
				return bad("it is no backup of a directory")
			}
			if h.Version != backupVersion {
				return bad("it is of version %d, this program reads version %d", h.Version, backupVersion)
			}
			head = h.Head
		}
		switch {
		case l.Header != nil && n == 1:
		case l.Setting != nil:
			settings++
		case l.Record != nil:
			if records++; directory.CheckRecord(l.Record.Kind, l.Record.record()) != nil {
				return bad("the record of line %d is damaged", n)
			}
		case l.Cursor != nil:
			cursors++
		case l.Change != nil:
			if changes++; l.Change.Seq != directory.Seq(changes) {
				return bad("line %d is change %d, where %d is due", n, l.Change.Seq, changes)
			}
			if err := directory.DecodeStored(l.Change.Entry, &l.Change.Change.Entry); err != nil || l.Change.Change.Entry.Version != l.Change.Seq {
				return bad("change %d is damaged", changes)
			}
		case l.End != nil:
			want := backupEnd{changes, settings, records, cursors, hex.EncodeToString(sum.Sum(nil))}
			if *l.End != want || head != directory.Seq(changes) {
				return bad("its contents do not match its checksum: it was altered or damaged")
			}
			// gzip keeps its own checksum behind the last line.
			if rest, err := io.ReadAll(io.LimitReader(lines.r, 1)); err != nil || len(rest) > 0 {
				return bad("something is wrong behind its last line")
			}
			return nil
		default:
			return bad("line %d is of no known kind", n)
		}
		sum.Write(raw)
		if err := fn(&l); err != nil {
			return err
		}
	}
}

// restorer is one run of Restore.
type restorer struct {
	ctx     context.Context
	s       directory.Store
	sum     BackupSummary
	head    directory.Seq // of the store
	pending []directory.Change
}

// check reads the whole file and compares it with what the store already holds.
func (p *restorer) check(r io.Reader) error {
	var err error
	if p.head, err = p.s.Head(p.ctx); err != nil {
		return err
	}
	keys, err := p.s.Settings(p.ctx)
	if err != nil {
		return err
	}
	settings := map[string]bool{}
	for _, k := range keys {
		settings[k] = true
	}
	records, err := standing(p.ctx, p.s)
	if err != nil {
		return err
	}
	var there []directory.Change
	err = readBackup(p.ctx, r, func(l *backupLine) error {
		switch {
		case l.Header != nil:
			p.sum.Created = l.Header.Created
			if p.head > l.Header.Head {
				return fmt.Errorf("%w: it holds %d changes", ErrNotEmpty, p.head)
			}
		case l.Setting != nil:
			if settings[l.Setting.Key] {
				value, _, err := p.s.Setting(p.ctx, l.Setting.Key)
				if err != nil {
					return err
				}
				if value != nil && !sameJSON(value, l.Setting.Value) {
					return fmt.Errorf("%w: it has the setting %q already", ErrNotEmpty, l.Setting.Key)
				}
				delete(settings, l.Setting.Key)
			}
		case l.Record != nil:
			if value, there := records[[2]string{l.Record.Kind, l.Record.Key}]; there {
				if !sameJSON(value, l.Record.Value) {
					return fmt.Errorf("%w: it has the record %s %s already", ErrNotEmpty, l.Record.Kind, l.Record.Key)
				}
				delete(records, [2]string{l.Record.Kind, l.Record.Key})
			}
		case l.Change != nil && l.Change.Seq <= p.head:
			if len(there) == 0 {
				if there, err = p.s.Changes(p.ctx, l.Change.Seq-1, batchSize); err != nil {
					return err
				}
			}
			if len(there) == 0 || there[0].Seq != l.Change.Seq || there[0].ID != l.Change.ID {
				return fmt.Errorf("%w: its change %d is another one", ErrNotEmpty, l.Change.Seq)
			}
			there = there[1:]
			p.sum.Resumed++
		}
		return nil
	})
	if err != nil {
		return err
	}
	for k := range settings {
		return fmt.Errorf("%w: it has the setting %q", ErrNotEmpty, k)
	}
	for k := range records {
		return fmt.Errorf("%w: it has a record of kind %q", ErrNotEmpty, k[0])
	}
	return nil
}

func sameJSON(a, b []byte) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

// write appends what the store lacks. Cursors come last: none may be ahead of the log.
func (p *restorer) write(r io.Reader) error {
	var cursors []backupCursor
	err := readBackup(p.ctx, r, func(l *backupLine) error {
		switch {
		case l.Setting != nil:
			p.sum.Settings++
			value, rev, err := p.s.Setting(p.ctx, l.Setting.Key)
			if err != nil {
				return err
			}
			if value == nil {
				if err := p.s.PutSetting(p.ctx, l.Setting.Key, l.Setting.Value, rev); err != nil {
					return fmt.Errorf("setting %s: %w", l.Setting.Key, err)
				}
			}
		case l.Record != nil:
			p.sum.Records++
			// One that stands is the same: check has compared them.
			err := p.s.PutRecord(p.ctx, l.Record.Kind, l.Record.record())
			if err != nil && !errors.Is(err, directory.ErrStale) {
				return fmt.Errorf("record %s %s: %w", l.Record.Kind, l.Record.Key, err)
			}
		case l.Cursor != nil:
			cursors = append(cursors, *l.Cursor)
		case l.Change != nil:
			p.sum.Changes++
			if l.Change.Seq <= p.head {
				return nil
			}
			p.pending = append(p.pending, l.Change.Change)
			if len(p.pending) == batchSize {
				return p.append()
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := p.append(); err != nil {
		return err
	}
	for _, c := range cursors {
		p.sum.Cursors++
		if err := p.s.SaveCursor(p.ctx, c.Name, c.At); err != nil {
			return fmt.Errorf("cursor %s: %w", c.Name, err)
		}
	}
	return nil
}

func (p *restorer) append() error {
	if len(p.pending) == 0 {
		return nil
	}
	stands, err := p.s.Append(p.ctx, p.head, p.pending)
	p.head += directory.Seq(stands)
	if err == nil && stands < len(p.pending) {
		err = directory.ErrStale
	}
	if errors.Is(err, directory.ErrStale) {
		return fmt.Errorf("somebody writes into the directory while it is restored: %w", err)
	}
	p.pending = p.pending[:0]
	return err
}
