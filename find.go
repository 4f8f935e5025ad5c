package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"archipel/api"
	"archipel/directory"
	"archipel/directory/taxonomy"
	"archipel/directory/transfer"
	"archipel/geo/geocode"
	"archipel/search"
	"archipel/search/embedded"
	"archipel/search/meili"

	"github.com/google/uuid"
)

// openSearch opens the engine that the options name: Meilisearch, or the embedded one.
func openSearch(c config, store directory.Store, words *taxonomy.Taxonomy, places *geocode.Gazetteer, log *slog.Logger) (search.Index, error) {
	builder := search.Builder{Taxonomy: categoryNames{words}, Zoner: zoner{places}}
	if c["meili"] != "" {
		return meili.Open(meili.Options{URL: c["meili"], Key: c["meili-key"], Source: store, Builder: builder, Log: log})
	}
	return embedded.Open(filepath.Join(c["data"], "search"), embedded.Options{Source: store, Builder: builder, Log: log})
}

// categoryNames gives the search engine every word that people have for a category.
type categoryNames struct{ *taxonomy.Taxonomy }

func (t categoryNames) Labels(id string) []string {
	c, ok := t.Category(id)
	if !ok {
		return nil
	}
	var labels []string
	for _, m := range []map[string]string{c.Label, c.Short} {
		for _, label := range m {
			labels = append(labels, label)
		}
	}
	return append(labels, c.Synonyms...)
}

// zoner names the zones of an entry by the gazetteer.
type zoner struct{ places *geocode.Gazetteer }

func (z zoner) Zones(e *directory.Entry) (codes []string) {
	var address geocode.Address
	if a := e.Address; a != nil {
		address = geocode.Address{Street: a.Street, Postcode: a.PostalCode, City: a.Locality, Country: a.Country}
		if a.Code != "" && (a.Country == "" || strings.EqualFold(a.Country, homeCountry)) {
			if zones := z.places.ZoneChain(geocode.ZoneCode(homeCountry+"-"+a.Code), ""); zones != nil {
				codes = add(codes, zones)
				address = geocode.Address{} // the municipality is known
			}
		}
	}
	for i, p := range e.Sites {
		if i == 0 && codes != nil {
			continue // the first one is where the address is
		}
		codes = add(codes, z.places.ZonesOf(p, address, ""))
		address = geocode.Address{} // of the first one only
	}
	if len(e.Sites) == 0 && codes == nil {
		codes = add(codes, z.places.ZonesAt(address, ""))
	}
	return codes
}

func add(codes []string, zones []geocode.Zone) []string {
	for i := range zones {
		codes = append(codes, string(zones[i].Code))
	}
	return codes
}

// openGeocoder puts the gazetteer and, where one is named, an address server together.
func openGeocoder(ctx context.Context, c config, places *geocode.Gazetteer, log *slog.Logger) (*geocode.Locator, func() error, error) {
	if c["nominatim"] == "" {
		return geocode.NewLocator(places, nil), func() error { return nil }, nil
	}
	cache, err := geocode.OpenCache(ctx, filepath.Join(c["data"], "geocode.db"))
	if err != nil {
		return nil, nil, err
	}
	agent := "Archipel/" + version()
	if c["public-url"] != "" {
		agent += " (+" + c["public-url"] + "/about)"
	}
	server, err := geocode.NewServer(geocode.ServerOptions{URL: c["nominatim"], UserAgent: agent, Cache: cache, Log: log})
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("-nominatim: %w", err), cache.Close())
	}
	tending, stop := context.WithCancel(ctx)
	tended := make(chan struct{})
	go func() {
		defer close(tended)
		tendCache(tending, cache, log)
	}()
	return geocode.NewLocator(places, server), func() error {
		stop()
		<-tended
		return errors.Join(server.Close(), cache.Close())
	}, nil
}

// tendCache forgets old answers, once a day.
func tendCache(ctx context.Context, cache *geocode.FileCache, log *slog.Logger) {
	tick := time.NewTicker(24 * time.Hour)
	defer tick.Stop()
	for {
		switch n, err := cache.Prune(ctx, time.Now().Add(-geocode.PruneAge)); {
		case ctx.Err() != nil:
			return
		case err != nil:
			log.Error("forgetting old addresses", "err", err)
		case n > 0:
			log.Info("old addresses were forgotten", "count", n)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// addressServer tells /readyz about the geocoder.
type addressServer struct{ *geocode.Locator }

func (addressServer) Name() string                     { return "geocoder" }
func (a addressServer) Ping(ctx context.Context) error { return a.Health(ctx) }

// searchEngine tells /readyz about the search engine.
type searchEngine struct{ search.Index }

func (searchEngine) Name() string                     { return "search" }
func (e searchEngine) Ping(ctx context.Context) error { return e.Status(ctx).Err }

// reindexKey is the setting by which a command asks the running server to read everything into a new index.
const reindexKey = "reindex"

// reindex builds the search index anew: by itself, or by the server that has it open.
func reindex(ctx context.Context, env *environment, args []string) (err error) {
	c, rest, err := parse(flags("reindex", env), env, args)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return fmt.Errorf("reindex takes no argument %q: %w", rest[0], errUsage)
	}
	log, err := c.logger(env)
	if err != nil {
		return err
	}
	words, err := c.words()
	if err != nil {
		return err
	}
	store, err := c.store(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if _, err := api.LoadTaxonomy(ctx, store, words); err != nil {
		return err
	}
	places, err := geocode.NewGazetteer(homeCountry)
	if err != nil {
		return err
	}
	began := time.Now()
	index, err := openSearch(c, store, words, places, log)
	if errors.Is(err, embedded.ErrInUse) {
		_, rev, err := store.Setting(ctx, reindexKey)
		if err != nil {
			return err
		}
		if err := store.PutSetting(ctx, reindexKey, fmt.Appendf(nil, "%q", uuid.NewString()), rev); err != nil {
			return err
		}
		_, err = fmt.Fprintln(env.stdout, "The running server was asked to build its index anew; searching goes on meanwhile.")
		return err
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, index.Close()) }()
	if err := index.Reindex(ctx); err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.stdout, "%d entries indexed in %v\n", index.Status(ctx).Entries, time.Since(began).Round(time.Millisecond))
	return err
}

// watchReindex lets [reindex] ask a running server.
func watchReindex(ctx context.Context, store directory.Store, index search.Index, log *slog.Logger) {
	_, seen, err := store.Setting(ctx, reindexKey)
	known := err == nil
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		_, rev, err := store.Setting(ctx, reindexKey)
		if err != nil || known && rev == seen {
			continue
		}
		if known {
			log.Info("building the search index anew")
			if err := index.Reindex(ctx); err != nil {
				log.Error("building the search index anew", "err", err)
			}
		}
		seen, known = rev, true
	}
}

// homeCountry is where a bare postal code or département number is looked for first.
const homeCountry = "FR"

// locator finds the positions of imported addresses.
type locator struct{ *geocode.Locator }

func (l locator) Locate(ctx context.Context, a directory.Address, lang string) (transfer.Located, bool, error) {
	var countries []string
	if a.Country != "" {
		countries = []string{strings.ToLower(a.Country)}
	}
	at, err := l.Locator.Locate(ctx, geocode.Address{Street: a.Street, Postcode: a.PostalCode, City: a.Locality, Country: a.Country}, lang, countries...)
	switch {
	case errors.Is(err, geocode.ErrNotFound), errors.Is(err, geocode.ErrBadQuery):
		return transfer.Located{}, false, nil
	case err != nil:
		return transfer.Located{}, false, err
	}
	return transfer.Located{Point: at.Point, Approximate: at.Approximate}, true, nil
}

// geocodeCommand finds positions for entries that have an address and none.
func geocodeCommand(ctx context.Context, env *environment, args []string) (err error) {
	c, rest, err := parse(flags("geocode", env), env, args)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return fmt.Errorf("geocode takes no argument %q: %w", rest[0], errUsage)
	}
	d, done, err := openDirectory(ctx, c, env)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	l, closeLocator, err := c.locator(ctx, env)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeLocator()) }()
	batch := "geocode-" + time.Now().UTC().Format("20060102-150405")
	report, err := transfer.LocateMissing(ctx, d, l, batch, counter(env.stderr))
	if report == nil {
		return err
	}
	return errors.Join(err, printReport(env.stdout, report, false))
}

// locator opens what import and geocode find positions with.
func (c config) locator(ctx context.Context, env *environment) (transfer.Locator, func() error, error) {
	log, err := c.logger(env)
	if err != nil {
		return nil, nil, err
	}
	places, err := geocode.NewGazetteer(homeCountry)
	if err != nil {
		return nil, nil, err
	}
	l, done, err := openGeocoder(ctx, c, places, log)
	return locator{l}, done, err
}
