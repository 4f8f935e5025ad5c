package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"archipel/api"
	"archipel/api/signed"
	"archipel/directory"
	"archipel/directory/demo"
	"archipel/directory/duplicates"
	"archipel/directory/subscribed"
	"archipel/federation"
	"archipel/federation/islands"
	"archipel/geo"
	"archipel/geo/basemap"
	"archipel/geo/geocode"
	"archipel/search"
)

// stopWithin is how long running requests get when the server is asked to stop.
const stopWithin = 8 * time.Second

func serve(ctx context.Context, env *environment, args []string) error {
	set := flags("serve", env)
	withDemo := set.Bool("demo", false, "fill an empty directory with a fictitious region")
	c, rest, err := parse(set, env, args)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return fmt.Errorf("serve takes no argument %q: %w", rest[0], errUsage)
	}
	log, err := c.logger(env)
	if err != nil {
		return err
	}
	// The address is claimed first: a port in use is said before a large directory is loaded.
	ln, err := net.Listen("tcp", c["listen"])
	if err != nil {
		return fmt.Errorf("-listen: %w", err)
	}
	defer ln.Close()
	words, err := c.words()
	if err != nil {
		return err
	}
	stack, closeBasemap, err := openBasemap(c["basemap"])
	if err != nil {
		return fmt.Errorf("-basemap: %w", err)
	}
	defer closeBasemap()
	store, err := c.store(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if err := store.Close(); err != nil {
			log.Error("closing the store", "err", err)
		}
	}()

	places, err := geocode.NewGazetteer(homeCountry)
	if err != nil {
		return err
	}
	locator, closeLocator, err := openGeocoder(ctx, c, places, log)
	if err != nil {
		return err
	}
	defer func() {
		if err := closeLocator(); err != nil {
			log.Error("closing the geocoder", "err", err)
		}
	}()

	edited, err := openWords(ctx, c, store, words, log)
	if err != nil {
		return err
	}
	site := &siteCache{store: store, log: log}
	site.refresh(ctx)
	index, relations, sources, waiting := geo.NewIndex(), &directory.Relations{}, &directory.Sources{}, &api.Waiting{}
	if index.Zone, err = time.LoadLocation(site.get().Timezone); err != nil {
		log.Warn("the site's time zone is unknown: events that name none are in UTC", "timezone", site.get().Timezone)
	}
	published, mirrors := &federation.Published{}, &islands.Mirrors{}
	alike, owners, sourced := &duplicates.Index{}, &api.Owners{}, &subscribed.Index{}
	// The search index opens while the directory loads, which takes about as long.
	var finder search.Index
	var opening errgroup.Group
	opening.Go(func() error {
		x, err := openSearch(c, store, words, places, log)
		if err == nil {
			finder = x
		}
		return err
	})
	var leases *directory.Leases // one file is for one node; several share a MongoDB
	if c["mongo"] != "" {
		leases = directory.NewLeases(directory.LeaseOptions{Store: store, Log: log})
	}
	d, err := directory.Open(ctx, directory.Options{
		Store: store, Leases: leases, Views: []directory.View{index, relations, sources, published, waiting, alike, owners, sourced, mirrors}, Rules: rules(words), Log: log, Now: env.now,
	})
	err = errors.Join(err, opening.Wait())
	if finder != nil {
		defer func() {
			if err := finder.Close(); err != nil {
				log.Error("closing the search index", "err", err)
			}
		}()
	}
	if err != nil {
		return err
	}
	d.Follow(finder)
	parts := []api.Health{searchEngine{finder}}
	if locator.HasServer() {
		parts = append(parts, addressServer{locator})
	}
	// Loading leaves garbage as large as the directory. From now on memory is scarcer than time on a small server.
	if env.getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
	debug.FreeOSMemory()
	if *withDemo {
		if err := fillDemo(ctx, d, env.now(), log); err != nil {
			return err
		}
	}
	site.refresh(ctx)
	accounts, mailer, err := openAccounts(c, store, site.get, "http://"+reachable(ln.Addr()), log)
	if err != nil {
		return err
	}
	fediverse, err := openFederation(ctx, c, d, published, mirrors, words, zoner{places}, site, log, env.now, mailer)
	if err != nil {
		return err
	}
	pictures, err := c.pictures()
	if err != nil {
		return err
	}
	if c["media"] != "" {
		parts = append(parts, pictureStore{pictures})
		if err := pictures.Reach(ctx); err != nil {
			log.Error("pictures can be neither shown nor kept until their bucket can be used", "err", err)
		}
	}
	accounts.Forget, accounts.Owned = forget(d), api.Owned(d)
	accounts.Under, accounts.Zones = words.Under, zoner{places}.Zones
	keys := signed.New(store)
	asking := openFreshness(d, accounts, keys, waiting, site.get, log)
	digests := openDigest(d, index, words, places, accounts, keys, site.get, log)
	checked := openLinks(c, d, site.get, "http://"+reachable(ln.Addr()), log)
	calendars := openCalendars(c, d, sourced, accounts, mailer, locator, site.get, "http://"+reachable(ln.Addr()), log)
	server, err := api.New(api.Options{
		Islands:   fediverse.archipelago(c, d, mirrors, words, zoner{places}, site, log, env.now),
		Calendars: calendars, Links: checked,
		Freshness: asking, Digest: digests,
		Duplicates: alike, Owners: owners, Media: pictures,
		Accounts: accounts, Waiting: waiting, Corrections: fediverse.corrections(),
		Directory: d, Index: index, Relations: relations, Sources: sources, Taxonomy: words, TaxonomySaved: edited.saved, Basemap: stack,
		Search: finder, Places: places, Locator: locator, Parts: parts,
		Federation: fediverse.handler(), Fediverse: fediverse.pages(), Archipelago: fediverse.isles(ctx), Echoes: fediverse.echoes(d), Operators: fediverse.operators(d, log, env.now), Site: site.get, PublicURL: c["public-url"], Version: version(), DataDir: c["data"], Log: log, Now: env.now,
	})
	if err != nil {
		return err
	}

	d.Follow(server.Decisions("http://" + reachable(ln.Addr())))
	d.Follow(server.Reviews("http://" + reachable(ln.Addr())))
	d.Follow(server.TeamMails())
	d.Follow(directory.Merges{Directory: d})
	twins := api.Twins{Directory: d}
	d.Follow(twins)

	running, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	wg.Go(func() { d.Run(running) })
	wg.Go(func() { site.watch(running) })
	wg.Go(func() { alike.Run(running, api.NotSame(store)) })
	wg.Go(func() { edited.watch(running) })
	wg.Go(func() { server.RunImports(running) })
	wg.Go(func() { edited.index(running, finder) })
	wg.Go(func() {
		if err := twins.Settle(running); err != nil && running.Err() == nil {
			log.Error("entries that are the same on several islands are not settled", "err", err)
		}
	})
	wg.Go(func() { server.TendPictures(running) })
	wg.Go(func() { fediverse.run(running) })
	shared := func(name string, work func(context.Context)) {
		wg.Go(func() {
			d.Leases().Run(running, name, func(ctx context.Context) error { work(ctx); return nil })
		})
	}
	shared("mails", mailer.Run)
	shared("calendars", calendars.Run)
	shared("links", checked.Run)
	shared("asking", asking.Run)
	shared("digests", digests.Run)
	if fediverse != nil {
		shared("echoes", fediverse.echoLetters(d, accounts, log, env.now))
	}
	wg.Go(func() {
		if err := accounts.Tidy(running); err != nil && running.Err() == nil {
			log.Error("a deleted account is not erased yet", "err", err)
		}
	})
	wg.Go(func() { watchReindex(running, store, finder, log) })

	where, _ := filepath.Abs(c["data"])
	if c["mongo"] != "" {
		where = "MongoDB, and " + where
	}
	address := c["public-url"]
	if address == "" {
		address = "http://" + reachable(ln.Addr())
	}
	fmt.Fprintf(env.stdout, "Archipel listens on %s\nIts data is in %s\n", address, where)
	if err := welcome(ctx, env, accounts); err != nil {
		return err
	}
	server.SetReady(true)
	return server.Serve(ctx, ln, stopWithin)
}

// reachable is an address that a browser on this machine can open.
func reachable(a net.Addr) string {
	host, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

func openBasemap(path string) (*basemap.Stack, func(), error) {
	if path == "" {
		return basemap.NewStack(nil, basemap.Embedded()), func() {}, nil
	}
	file, err := basemap.Open(path)
	if err != nil {
		return nil, nil, err
	}
	// A file that was only read has nothing to lose when it is closed.
	return basemap.NewStack(file, basemap.Embedded()), func() { _ = file.Close() }, nil
}

// fillDemo writes the demonstration region into an empty directory, and finishes one that was cut short.
func fillDemo(ctx context.Context, d *directory.Directory, now time.Time, log *slog.Logger) error {
	value, rev, err := d.Store().Setting(ctx, api.SiteKey)
	if err != nil {
		return err
	}
	site, err := api.ParseSite(value)
	if err != nil {
		return err
	}
	if d.Head() > 0 && !site.Demo {
		log.Warn("-demo is left aside: the directory is not empty")
		return nil
	}
	if !site.Demo {
		b, err := json.Marshal(demoSite())
		if err != nil {
			return err
		}
		if err := d.Store().PutSetting(ctx, api.SiteKey, b, rev); err != nil {
			return err
		}
	}
	var missing []directory.Entry
	for _, e := range demo.Entries(now) {
		if _, there := d.BySource(e.Source.Key()); !there {
			missing = append(missing, e)
		}
	}
	outcomes, err := d.Write(ctx, directory.Write{Author: "demo", Batch: "demo", Entries: missing})
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	for _, o := range outcomes {
		if o.Err != nil {
			return fmt.Errorf("demo: %s: %w", o.Entry.Name, o.Err)
		}
	}
	return nil
}

func demoSite() api.Site {
	site := api.DefaultSite()
	site.Name, site.Territory, site.Demo = "Archipel Loire", "la Loire et Saint-Étienne", true
	return site
}

// siteCache keeps what the operator says of the instance, read from the store every two seconds.
type siteCache struct {
	store directory.Store
	log   *slog.Logger
	mu    sync.RWMutex
	site  api.Site
}

func (s *siteCache) get() api.Site {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.site
}

func (s *siteCache) refresh(ctx context.Context) {
	value, _, err := s.store.Setting(ctx, api.SiteKey)
	if err != nil {
		if s.get().Name == "" {
			s.set(api.DefaultSite())
		}
		return
	}
	site, err := api.ParseSite(value)
	if err != nil {
		s.log.Error("the site's settings cannot be read", "err", err)
	}
	s.set(site)
}

func (s *siteCache) set(site api.Site) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.site = site
}

func (s *siteCache) watch(ctx context.Context) {
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.refresh(ctx)
		}
	}
}

// siteCommand shows the site's settings, or changes some of them.
func siteCommand(ctx context.Context, env *environment, args []string) error {
	set := flags("site", env)
	c, rest, err := parse(set, env, args)
	if err != nil {
		return err
	}
	store, err := c.store(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	value, rev, err := store.Setting(ctx, api.SiteKey)
	if err != nil {
		return err
	}
	site, err := api.ParseSite(value)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		if err := site.Change(rest); err != nil {
			return err
		}
		b, err := json.Marshal(site)
		if err != nil {
			return err
		}
		if err := store.PutSetting(ctx, api.SiteKey, b, rev); err != nil {
			return err
		}
	}
	out, err := json.MarshalIndent(site, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(env.stdout, string(out))
	return err
}

// health asks the server of the same configuration whether it is ready, for a container's health check.
func health(ctx context.Context, env *environment, args []string) error {
	c, _, err := parse(flags("health", env), env, args)
	if err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(c["listen"])
	if err != nil {
		return fmt.Errorf("-listen: %w", err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(ctx, 4*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/readyz", nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return errors.New("not ready: " + strings.ToLower(http.StatusText(res.StatusCode)))
	}
	return nil
}
