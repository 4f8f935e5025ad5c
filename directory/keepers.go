package directory

import (
	"context"
	"errors"
	"slices"
)

// Kept reports whether an entry has owners: of its own, or those of the organisation in whose name it was posted.
func (e *Entry) Kept() bool {
	return e.Private != nil && (len(e.Private.Owners) > 0 || e.Private.Team != "")
}

// Keepers are the accounts that keep an entry, each in one list only.
type Keepers struct{ Owners, Editors []string }

// All lists the owners, and then the editors.
func (k Keepers) All() []string { return slices.Concat(k.Owners, k.Editors) }

// Keepers lists who keeps an entry: its own people, and those of the organisation in whose name it was posted.
func (d *Directory) Keepers(ctx context.Context, e *Entry) (k Keepers, err error) {
	if e.Private == nil {
		return k, nil
	}
	k = k.with(e.Private)
	if e.Private.Team == "" {
		return k, nil
	}
	org, err := d.Team(ctx, e)
	if err == nil && org.Private != nil {
		k = k.with(org.Private)
	}
	return k, err
}

func (k Keepers) with(p *Private) Keepers {
	for _, id := range p.Owners {
		if !slices.Contains(k.Owners, id) {
			k.Owners = append(k.Owners, id)
		}
	}
	for _, id := range p.Editors {
		if !slices.Contains(k.Editors, id) {
			k.Editors = append(k.Editors, id)
		}
	}
	k.Editors = slices.DeleteFunc(k.Editors, func(id string) bool { return slices.Contains(k.Owners, id) })
	return k
}

// Team is the organisation in whose name an entry was posted, or the one that it lives on in after a merge; the zero Entry
// when there is none, it is gone, or it is the entry itself by now.
func (d *Directory) Team(ctx context.Context, e *Entry) (Entry, error) {
	if e.Private == nil || e.Private.Team == "" {
		return Entry{}, nil
	}
	id := e.Private.Team
	for range 5 {
		if id == e.ID {
			break
		}
		org, err := d.Entry(ctx, id)
		switch {
		case errors.Is(err, ErrNotFound):
			return Entry{}, nil
		case err != nil || org.Status != Removed:
			return org, err
		case org.MergedInto == "":
			return Entry{}, nil
		}
		id = org.MergedInto
	}
	return Entry{}, nil
}
