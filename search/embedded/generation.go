package embedded

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/analysis"
	"github.com/blevesearch/bleve/v2/document"
	"github.com/blevesearch/bleve/v2/index/scorch"
	index "github.com/blevesearch/bleve_index_api"

	"archipel/directory"
	"archipel/search"
)

// format is what the index on disk holds; another one is rebuilt. Raise it when documents or their terms change.
const format = 2

const (
	storedField = "d" // the search.Document as JSON
	markKey     = "archipel"
)

// mark is the index's own record of how far it has come, written in the same batch as the documents.
type mark struct {
	Format int           `json:"format"`
	Seq    directory.Seq `json:"seq"`
	Change string        `json:"change,omitempty"` // id of the change at Seq: tells a log from another one
}

// generation is one index on disk with its columns.
type generation struct {
	path    string
	index   bleve.Index
	scorch  *scorch.Scorch
	builder *search.Builder

	mu   sync.RWMutex
	cols *columns
	mark mark

	ordsMu sync.Mutex
	ords   map[uint64][]uint32 // by segment: document number -> row
}

// bulk are the options of an index that is being filled: segments are not merged before all are there.
var bulk = map[string]any{"maxSegmentsPerTier": 500} // keys of mergeplan.MergePlanOptions

// newGeneration makes an empty index in a folder that does not exist. merging may be nil.
func newGeneration(path string, b *search.Builder, merging map[string]any) (*generation, error) {
	config := map[string]any{"bolt_timeout": "2s"}
	if merging != nil {
		config["scorchMergePlanOptions"] = merging
	}
	x, err := bleve.NewUsing(path, bleve.NewIndexMapping(), scorch.Name, scorch.Name, config)
	if err != nil {
		return nil, fmt.Errorf("create index: %w", err)
	}
	return wrap(path, x, b)
}

// openGeneration opens an index on disk and reads its columns.
func openGeneration(path string, b *search.Builder) (g *generation, err error) {
	defer func() {
		if r := recover(); r != nil { // foreign bytes make the readers of segments panic
			g, err = nil, fmt.Errorf("open index: %v: %w", r, directory.ErrCorrupt)
		}
	}()
	if err := sound(path); err != nil {
		return nil, fmt.Errorf("open index: %w", err)
	}
	x, err := bleve.OpenUsing(path, normal())
	if err != nil {
		return nil, fmt.Errorf("open index: %w", err)
	}
	if g, err = wrap(path, x, b); err == nil {
		if err = g.load(); err == nil {
			// Reading every document has mapped all of the files into memory; closing lets go of them.
			return g, g.reopen()
		}
	}
	return nil, errors.Join(err, x.Close())
}

// normal are the options of an index in use.
func normal() map[string]any {
	return map[string]any{"bolt_timeout": "2s", "scorchMergePlanOptions": map[string]any{"maxSegmentsPerTier": 10}}
}

// reopen closes and opens an index that nobody else uses yet, with the options of one in use.
func (g *generation) reopen() error {
	if err := g.index.Close(); err != nil {
		return fmt.Errorf("close index: %w", err)
	}
	x, err := bleve.OpenUsing(g.path, normal())
	if err != nil {
		return fmt.Errorf("open index: %w", err)
	}
	again, err := wrap(g.path, x, g.builder)
	if err != nil {
		return errors.Join(err, x.Close())
	}
	g.index, g.scorch = again.index, again.scorch
	return nil
}

func wrap(path string, x bleve.Index, b *search.Builder) (*generation, error) {
	adv, err := x.Advanced()
	if err != nil {
		return nil, err
	}
	s, ok := adv.(*scorch.Scorch)
	if !ok {
		return nil, fmt.Errorf("index is a %T", adv)
	}
	return &generation{path: path, index: x, scorch: s, builder: b, cols: newColumns(), ords: map[uint64][]uint32{}}, nil
}

// snapshot returns the index as it stands; the caller closes it.
func (g *generation) snapshot() (*scorch.IndexSnapshot, error) {
	r, err := g.scorch.Reader()
	if err != nil {
		return nil, err
	}
	s, ok := r.(*scorch.IndexSnapshot)
	if !ok {
		_ = r.Close()
		return nil, fmt.Errorf("index reader is a %T", r)
	}
	return s, nil
}

// load fills the columns from the documents in the index.
func (g *generation) load() error {
	snap, err := g.snapshot()
	if err != nil {
		return err
	}
	defer snap.Close()
	raw, err := snap.GetInternal([]byte(markKey))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, &g.mark); err != nil || g.mark.Format != format {
		return fmt.Errorf("index has another format: %w", directory.ErrCorrupt)
	}
	for _, s := range snap.Segments() {
		ords := make([]uint32, s.FullSize())
		for n := range ords {
			ords[n] = noOrd
			if gone := s.Deleted(); gone != nil && gone.Contains(uint32(n)) {
				continue
			}
			d, err := stored(s, uint64(n))
			if err != nil {
				return err
			}
			g.cols.put(d, g.builder.Taxonomy)
			ords[n] = g.cols.ord(d.ID)
		}
		g.ords[s.Id()] = ords
	}
	return nil
}

func stored(s *scorch.SegmentSnapshot, n uint64) (*search.Document, error) {
	var d search.Document
	found := false
	var bad error
	err := s.VisitDocument(n, func(field string, _ byte, value []byte, _ []uint64) bool {
		if field != storedField {
			return true
		}
		found = true
		bad = json.Unmarshal(value, &d)
		return false
	})
	if err = errors.Join(err, bad); err != nil || !found {
		return nil, fmt.Errorf("read document %d of the index: %w: %w", n, directory.ErrCorrupt, err)
	}
	return &d, nil
}

// terms is the analyser of fields whose value is terms already, one a line.
type terms struct{}

func (terms) Analyze(b []byte) analysis.TokenStream {
	out := make(analysis.TokenStream, 0, bytes.Count(b, []byte{'\n'})+1)
	tokens := make([]analysis.Token, cap(out))
	for i := 0; len(b) > 0; i++ {
		t, rest, _ := bytes.Cut(b, []byte{'\n'})
		tokens[i] = analysis.Token{Term: t, Position: 1}
		out = append(out, &tokens[i])
		b = rest
	}
	return out
}

// apply writes documents, removes entries, and records how far the index has come, all or nothing. What is removed
// cannot be found from the beginning of apply on, what is written from its end on. Callers take turns.
func (g *generation) apply(docs []search.Document, gone []directory.ID, m mark) error {
	m.Format = format
	g.mu.Lock()
	for _, id := range gone {
		g.cols.drop(id)
	}
	for i := range docs {
		g.cols.ord(docs[i].ID)
	}
	g.mu.Unlock()

	prepared := make([]*document.Document, len(docs))
	var wg sync.WaitGroup
	var failed error
	var once sync.Once
	const workers = 2
	for w := range workers {
		wg.Go(func() {
			for i := w; i < len(docs); i += workers {
				d, err := prepare(&docs[i])
				if err != nil {
					once.Do(func() { failed = err })
				}
				prepared[i] = d
			}
		})
	}
	wg.Wait()
	if failed != nil {
		return failed
	}
	batch := g.index.NewBatch()
	for _, d := range prepared {
		if err := batch.IndexAdvanced(d); err != nil {
			return fmt.Errorf("index %s: %w", d.ID(), err)
		}
	}
	for _, id := range gone {
		batch.Delete(string(id))
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return err
	}
	batch.SetInternal([]byte(markKey), raw)
	if err := g.index.Batch(batch); err != nil {
		return fmt.Errorf("write index: %w", err)
	}

	g.mu.Lock()
	defer g.mu.Unlock()
	for i := range docs {
		g.cols.put(&docs[i], g.builder.Taxonomy)
	}
	g.mark = m
	return nil
}

func prepare(d *search.Document) (*document.Document, error) {
	raw, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("index %s: %w", d.ID, err)
	}
	doc := document.NewDocument(string(d.ID))
	doc.AddField(document.NewTextFieldCustom(storedField, nil, raw, index.StoreField, nil))
	for f, list := range d.Terms() {
		if len(list) > 0 {
			doc.AddField(document.NewTextFieldCustom(fieldNames[f], nil, []byte(strings.Join(list, "\n")), index.IndexField|index.SkipFreqNorm, terms{}))
		}
	}
	return doc, nil
}

// rowsOf returns the row of each document of a segment. The caller holds g.mu.
func (g *generation) rowsOf(s *scorch.SegmentSnapshot) ([]uint32, error) {
	g.ordsMu.Lock()
	defer g.ordsMu.Unlock()
	if ords, ok := g.ords[s.Id()]; ok {
		return ords, nil
	}
	ords := make([]uint32, s.FullSize())
	for n := range ords {
		id, err := s.DocID(uint64(n))
		if err != nil {
			return nil, fmt.Errorf("read id of document %d: %w", n, err)
		}
		o, ok := g.cols.ords[directory.ID(id)]
		if !ok {
			o = noOrd
		}
		ords[n] = o
	}
	g.ords[s.Id()] = ords
	return ords, nil
}

// warm forgets the rows of segments that are gone, and reads those of new ones before a search needs them.
func (g *generation) warm() error {
	snap, err := g.snapshot()
	if err != nil {
		return err
	}
	defer snap.Close()
	g.mu.RLock()
	defer g.mu.RUnlock()
	have := map[uint64]bool{}
	for _, s := range snap.Segments() {
		have[s.Id()] = true
		if _, err := g.rowsOf(s); err != nil {
			return err
		}
	}
	g.ordsMu.Lock()
	defer g.ordsMu.Unlock()
	for id := range g.ords {
		if !have[id] {
			delete(g.ords, id)
		}
	}
	return nil
}

func (g *generation) at() mark {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.mark
}

func (g *generation) close() error { return g.index.Close() }

// The file that names the folder of the index in use; it is replaced in one step.
const currentFile = "CURRENT"

func readCurrent(dir string) string {
	b, err := os.ReadFile(filepath.Join(dir, currentFile))
	name := strings.TrimSpace(string(b))
	if err != nil || name != filepath.Base(name) || !strings.HasPrefix(name, "index-") {
		return ""
	}
	return name
}

func writeCurrent(dir, name string) error {
	tmp := filepath.Join(dir, currentFile+".new")
	f, err := os.Create(tmp)
	if err != nil {
		return err
	}
	_, err = f.WriteString(name + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(dir, currentFile))
}
