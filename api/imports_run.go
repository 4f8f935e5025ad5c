package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"archipel/directory"
	"archipel/directory/transfer"
	"archipel/frontend"
)

func (s *Server) wakeImports() {
	select {
	case s.importWake <- struct{}{}:
	default: // it looks soon anyway
	}
}

// RunImports does, one after the other, the imports that were asked for on the page, and takes back others, until ctx ends.
// An import that was cut short, by this node or one that died, is run again: it changes only what is not done yet.
func (s *Server) RunImports(ctx context.Context) {
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for ctx.Err() == nil {
		runs, err := s.runs(ctx)
		if err != nil && ctx.Err() == nil {
			s.Log.Warn("the imports that wait cannot be read", "err", err)
		}
		for _, r := range runs {
			if r.State == "waiting" || r.State == "running" && s.Now().After(r.Until) {
				s.runImport(ctx, r)
			}
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		case <-s.importWake:
		}
	}
}

func (s *Server) runImport(ctx context.Context, r *importRun) {
	r.State, r.Until = "running", s.Now().Add(importSilence)
	if err := s.putRun(ctx, r); err != nil {
		return // another node does it
	}
	said := time.Now()
	report, err := s.doImport(ctx, r, func(rows int) {
		if time.Since(said) < importSilence/8 {
			return
		}
		said = time.Now()
		r.Rows, r.Until = rows, s.Now().Add(importSilence)
		if err := s.putRun(ctx, r); err != nil {
			s.Log.Warn("how far an import has come is not saved", "batch", r.Batch, "err", err)
		}
	})
	if report != nil {
		r.take(report)
	}
	switch {
	case ctx.Err() != nil || errors.Is(err, directory.ErrUnavailable):
		r.State, r.Until = "running", time.Time{} // goes on after the start, or when the store answers again
	case err != nil:
		r.State, r.Error = "failed", err.Error()
		s.Log.Error("an import failed", "batch", r.Batch, "err", err)
	default:
		r.State, r.Error = "done", ""
	}
	// Also when the server stops, which waits for it, but not for long.
	saving, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(3*time.Second, cancel) })()
	if err := s.putRun(saving, r); err != nil {
		s.Log.Warn("the end of an import is not saved", "batch", r.Batch, "err", err)
	}
}

func (s *Server) doImport(ctx context.Context, r *importRun, progress func(rows int)) (*transfer.Report, error) {
	if r.Undo {
		undone, err := transfer.Undo(ctx, s.Directory, r.Batch)
		if err != nil {
			return nil, err
		}
		return &transfer.Report{Rows: undone.Removed + undone.Restored + undone.Already + len(undone.Kept), Updated: undone.Restored, Created: undone.Removed, Unchanged: undone.Already,
			Failed: len(undone.Kept), LeftOut: undone.Kept}, nil
	}
	var data []byte
	for n := range r.Pieces {
		rec, err := s.Directory.Store().Record(ctx, kindImportFile, fmt.Sprintf("%s/%04d", r.ID, n))
		if err != nil {
			return nil, err
		}
		var piece []byte
		if rec.Rev == 0 {
			return nil, errors.New("the file is not kept any more: bring it again")
		}
		if err := json.Unmarshal(rec.Value, &piece); err != nil {
			return nil, fmt.Errorf("import %s: %w: %w", r.ID, directory.ErrCorrupt, err)
		}
		data = append(data, piece...)
	}
	o, err := r.options(s)
	if err != nil {
		return nil, err
	}
	o.Progress = func(p transfer.Progress) { progress(p.Rows) }
	report, err := transfer.Import(ctx, s.Directory, bytes.NewReader(data), o)
	if err == nil {
		for n := range r.Pieces { // what is not erased expires
			_ = s.Directory.Store().DeleteRecord(ctx, kindImportFile, fmt.Sprintf("%s/%04d", r.ID, n), 0)
		}
	}
	return report, err
}

// importHealth tells of the imports that failed or have not ended, and of those that nobody has looked at.
func (s *Server) importHealth(ctx context.Context, l *frontend.Localizer) (notes []frontend.HealthNote, err error) {
	runs, err := s.runs(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range runs {
		if r.State == "failed" || r.State == "waiting" || r.State == "running" {
			notes = append(notes, frontend.HealthNote{Text: l.Text("imports.health", "Name", r.Batch, "State", l.Code("import_state", r.State)), URL: frontend.ImportURL(r.ID), Bad: r.State == "failed"})
		}
	}
	return append(notes, frontend.HealthNote{Text: l.Text("imports.health_unclaimed", "Count", l.Number(s.Waiting.Imported())), URL: frontend.ModerateURL("imported")}), nil
}
