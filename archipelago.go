package main

import (
	"context"
	"time"

	"archipel/api"
	"archipel/directory"
	"archipel/federation/islands"
)

// isles is what pages for visitors and moderators need of the archipelago.
type isles struct {
	*islands.Service
	ctx context.Context // of the program: what is kept for all visitors is not read on one's behalf
}

// isles gives it; nil when the instance takes no part.
func (f *fediverse) isles(ctx context.Context) api.Archipelago {
	if f == nil {
		return nil
	}
	return isles{f.islands, ctx}
}

func (a isles) Island(host string) (name, home string) {
	k := a.Service.Island(host)
	return k.Name, k.URL
}

func (a isles) SilentSince(e *directory.Entry) time.Time {
	ctx, cancel := context.WithTimeout(a.ctx, 2*time.Second)
	defer cancel()
	return a.Service.SilentSince(ctx, e)
}

func (a isles) Curation(ctx context.Context, id directory.ID) (api.Curation, int64, error) {
	o, rev, err := a.Overlay(ctx, id)
	return api.Curation{Categories: o.Categories, Tags: o.Tags, Hide: o.Hide, Highlight: o.Highlight, Remark: o.Remark}, rev, err
}

func (a isles) Curate(ctx context.Context, author string, id directory.ID, c api.Curation, rev int64) (directory.Entry, error) {
	return a.Service.Curate(ctx, author, id, islands.Overlay{Categories: c.Categories, Tags: c.Tags, Hide: c.Hide, Highlight: c.Highlight, Remark: c.Remark}, rev)
}
