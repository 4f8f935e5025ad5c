package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"archipel/api"
	"archipel/api/account"
	"archipel/api/archipelago"
	"archipel/api/echoes"

	operators "archipel/api/fediverse"
	"archipel/directory"
	"archipel/directory/taxonomy"
	"archipel/federation"
	"archipel/federation/islands"
	"archipel/geo/geocode"

	"github.com/paulmach/orb"
)

// fediverse is the instance's part in the fediverse, and in the archipelago; nil when it takes none.
type fediverse struct {
	*federation.Service
	islands *islands.Service
}

func (f *fediverse) handler() http.Handler {
	if f == nil {
		return nil
	}
	return f.Service
}

// pages is what pages for people need; nil when the instance takes no part.
func (f *fediverse) pages() api.Fediverse {
	if f == nil {
		return nil
	}
	return f.Service
}

// echoes are the pages about what comes back; nil when the instance takes no part.
func (f *fediverse) echoes(d *directory.Directory) *echoes.Service {
	if f == nil {
		return nil
	}
	return echoes.New(echoes.Options{Directory: d, Federation: f.Service})
}

// echoLetters tells the people of entries what waits for them, until ctx ends.
func (f *fediverse) echoLetters(d *directory.Directory, accounts *account.Service, log *slog.Logger, now func() time.Time) func(context.Context) {
	t := &echoes.Letters{Directory: d, Federation: f.Service, Accounts: accounts, Now: now, Fail: func(err error) {
		log.Error("telling of replies and participants that wait", "err", err)
	}}
	return t.Run
}

// operators are the operator's pages; nil when the instance takes no part.
func (f *fediverse) operators(d *directory.Directory, log *slog.Logger, now func() time.Time) *operators.Service {
	if f == nil {
		return nil
	}
	return operators.New(operators.Options{Directory: d, Federation: f.Service, Log: log, Now: now})
}

func (f *fediverse) run(ctx context.Context) {
	if f == nil {
		return
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { f.islands.Run(ctx) })
	f.Run(ctx)
}

// archipelago are the pages of the other directories, which also say when there are none.
func (f *fediverse) archipelago(c config, d *directory.Directory, mirrors *islands.Mirrors, words *taxonomy.Taxonomy, z zoner, site *siteCache, log *slog.Logger, now func() time.Time) *archipelago.Service {
	scheme, _, _ := strings.Cut(c["public-url"], "://")
	o := archipelago.Options{Directory: d, Mirrors: mirrors, Taxonomy: words, Places: z.places, Scheme: scheme, Log: log, Now: now, Zone: func() *time.Location {
		if zone, err := time.LoadLocation(site.get().Timezone); err == nil {
			return zone
		}
		return time.UTC
	}}
	if f != nil {
		o.Islands = f.islands
	}
	return archipelago.New(o)
}

// federated reports whether the instance takes part.
func (c config) federated() (bool, error) {
	switch c["federation"] {
	case "":
		return strings.HasPrefix(c["public-url"], "https://"), nil
	case "off":
		return false, nil
	case "on":
		if c["public-url"] == "" {
			return false, fmt.Errorf("-federation on needs -public-url, by which other servers find this one: %w", errUsage)
		}
		return true, nil
	}
	return false, fmt.Errorf("-federation %q: want on or off: %w", c["federation"], errUsage)
}

func openFederation(ctx context.Context, c config, d *directory.Directory, published *federation.Published, mirrors *islands.Mirrors, words *taxonomy.Taxonomy, z zoner, site *siteCache, log *slog.Logger, now func() time.Time, mailer *account.Mailer) (*fediverse, error) {
	on, err := c.federated()
	if err != nil || !on {
		return nil, err
	}
	s, err := federation.New(ctx, federation.Options{
		Directory: d, Published: published, PublicURL: c["public-url"], Version: version(), Log: log, Now: now,
		Site: func() federation.Site {
			site := site.get()
			return federation.Site{Name: site.Name, Summary: site.Tagline, Lang: site.Languages[0], SignedFetch: site.SignedFetch}
		},
	})
	if err != nil {
		return nil, err
	}
	isles, err := islands.New(ctx, islands.Options{
		Network: s, Directory: d, Mirrors: mirrors, Taxonomy: words, Zones: z.Zones, PublicURL: c["public-url"], Version: version(), Log: log, Now: now,
		Locate: towns{geocode.NewLocator(z.places, nil)}.locate,
		Site: func() islands.Site {
			site := site.get()
			return islands.Site{Name: site.Name, Summary: site.Tagline, Territory: site.Territory, Languages: site.Languages, Licence: site.Licence, Contact: site.Contact}
		},
		Correct: api.TakeCorrection(d, rules(words)), Unfit: func(invalid directory.Invalid) string { return api.CorrectionUnfit(site.get().Languages[0], invalid) }, Answered: api.CorrectionAnswered(d.Store(), mailer),
	})
	if err != nil {
		return nil, err
	}
	return &fediverse{s, isles}, nil
}

// towns gives what comes of other servers its position by the embedded list of places: whatever they write, no address server
// is asked on their word.
type towns struct{ *geocode.Locator }

func (t towns) locate(ctx context.Context, e *directory.Entry) {
	if e.Address == nil {
		return
	}
	if at, found, err := locator(t).Locate(ctx, *e.Address, e.Lang); err == nil && found {
		e.Sites, e.Approximate = []orb.Point{at.Point}, at.Approximate
	}
}
