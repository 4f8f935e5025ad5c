package api

import (
	"context"
	"time"

	"archipel/directory"
	"archipel/directory/transfer"
	"archipel/frontend"
	"archipel/geo"

	"github.com/gofiber/fiber/v2"
)

// Archipelago is what pages need of the directories that show their entries here. Its answers about islands come from memory.
type Archipelago interface {
	// Island says who is behind the host that an entry belongs to. Both are never empty; the name is somebody else's.
	Island(host string) (name, home string)
	// Page is the address of an entry's page where it belongs.
	Page(e *directory.Entry) string
	// SilentSince is when those by whom an entry comes were last heard, when that is too long ago; zero otherwise.
	SilentSince(e *directory.Entry) time.Time
	// Curation is what this directory adds to an entry, and its revision; the zero one when that is nothing.
	Curation(ctx context.Context, id directory.ID) (Curation, int64, error)
	// Curate puts that in place of the one whose revision is rev. It reports a [directory.Invalid] that names the field,
	// [directory.ErrStale] when somebody else was faster, or [directory.ErrNotFound].
	Curate(ctx context.Context, author string, id directory.ID, c Curation, rev int64) (directory.Entry, error)
	// Hide takes an entry of another directory out of public view, whatever is added to it and whatever its origin says from
	// now on. note is why, for the history. Hiding it again changes nothing.
	Hide(ctx context.Context, author string, id directory.ID, note string) error
}

// Curation is what a directory adds to an entry of another one. It survives what its origin changes.
type Curation struct {
	Categories []string // instead of those it came with; none: those
	Tags       []string // besides its own
	Hide       bool     // out of public view
	Highlight  bool
	Remark     string // plain text, public
}

// The keys of [directory.Entry.Extra] under which an entry of another directory carries what was added to it here.
const (
	extraRemark    = "remark"
	extraHighlight = "highlight"
)

// origin says whose an entry of another directory is, and where its page is there.
func (s *Server) origin(e *directory.Entry) (name, page string) {
	switch {
	case e.Origin == "":
		return "", ""
	case s.Archipelago == nil: // entries outlive the part that brought them
		return e.Origin, "https://" + e.Origin + "/"
	}
	name, _ = s.Archipelago.Island(e.Origin)
	return name, s.Archipelago.Page(e)
}

// badge is what a list says of an entry of another directory.
func (p presenter) badge(e *directory.Entry) (name, licence string, silent, highlight bool) {
	if e.Origin == "" {
		return
	}
	name, _ = p.s.origin(e)
	if e.MayBeCopied() {
		licence = e.Licence
	}
	return name, licence, p.s.Archipelago != nil && !p.s.Archipelago.SilentSince(e).IsZero(), e.Extra[extraHighlight] != ""
}

// isle tells on an entry's page whose it is, and what this directory adds to it.
func (s *Server) isle(c *fiber.Ctx, e *directory.Entry, v *frontend.EntryView) {
	if e.Origin == "" {
		return
	}
	name, page := s.origin(e)
	v.Origin = &frontend.Source{Name: name, URL: page}
	v.Isle = frontend.IsleView{Highlight: e.Extra[extraHighlight] != "", Remark: e.Extra[extraRemark]}
	if s.Archipelago == nil {
		return
	}
	_, v.Isle.HomeURL = s.Archipelago.Island(e.Origin)
	v.Isle.Silent = inZone(s.Archipelago.SilentSince(e), s.zone())
	if s.mayCurate(c, e) == nil {
		v.Isle.CurateURL = frontend.CurateURL(e.Slug)
	}
}

// onlyHere is the choice to leave out what belongs to others, with what it leaves, where that is less than all.
func (s *Server) onlyHere(r *request, matched int) (*frontend.Chip, error) {
	on := r.query.Only != ""
	if on {
		return &frontend.Chip{Count: matched, Selected: true}, nil
	}
	now := s.Index.Snapshot()
	if now.Origins() == nil {
		return nil, nil
	}
	f := r.filter
	f.Origins = []string{""}
	sel, err := now.Select(f, geo.Page{Limit: 1})
	if err != nil || sel.Matched == matched {
		return nil, err
	}
	return &frontend.Chip{Count: sel.Matched}, nil
}

// maxIslandNames is how many islands a map knows by name; the others have their hosts.
const maxIslandNames = 200

// islandNames are those of the islands that have entries on the map, where they are not just their hosts.
func (s *Server) islandNames() map[string]string {
	if s.Archipelago == nil {
		return nil
	}
	var names map[string]string
	for _, host := range s.Index.Snapshot().Origins() {
		if len(names) == maxIslandNames {
			break
		}
		if name, _ := s.Archipelago.Island(host); name != host {
			if names == nil {
				names = map[string]string{}
			}
			names[host] = name
		}
	}
	return names
}

// feature is an entry as GeoJSON.
func (s *Server) feature(e *directory.Entry) ([]byte, error) {
	return transfer.Feature(e, &transfer.ExportOptions{Origin: s.origin, Attribution: s.attribution})
}
