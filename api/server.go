// Package api is the directory as the network sees it: pages, OGC API Features, feeds, tiles and health.
package api

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"archipel/api/account"
	"archipel/api/archipelago"
	"archipel/api/belonging"
	"archipel/api/digest"
	"archipel/api/echoes"
	"archipel/api/fediverse"
	"archipel/api/freshness"
	"archipel/directory"
	"archipel/directory/duplicates"
	"archipel/directory/links"
	"archipel/directory/media"
	"archipel/directory/subscribed"
	"archipel/directory/taxonomy"
	"archipel/directory/transfer"
	"archipel/frontend"
	"archipel/geo"
	"archipel/geo/basemap"
	"archipel/geo/geocode"
	"archipel/search"

	"github.com/gofiber/fiber/v2"
)

// Options are the parts that the server composes. All are required but Search, Places, Locator, Parts, Accounts, Freshness, Digest, Waiting, PublicURL, Log and Now.
type Options struct {
	Directory *directory.Directory
	Index     *geo.Index
	Relations *directory.Relations
	Sources   *directory.Sources
	Taxonomy  *taxonomy.Taxonomy
	Basemap   *basemap.Stack
	Search    search.Index       // finds by words and zones; nil: plain words only
	Places    *geocode.Gazetteer // towns and territories; nil: none are known
	Locator   *geocode.Locator   // addresses, when they are submitted; nil: none are known
	Parts     []Health           // what may be away without stopping the directory
	Accounts  *account.Service   // nil: nobody can sign in

	Freshness *freshness.Service // asks whether entries are still true; nil: nobody is asked
	Digest    *digest.Service    // tells by mail what is new in an area; nil: nobody can ask for it

	Waiting *Waiting // what waits for moderation; nil: there are no pages for it

	Corrections Corrections // how corrections travel to other islands; nil: they do not

	Calendars *subscribed.Service // fetches calendars of other servers; nil: nobody can subscribe to one
	Links     *links.Service      // looks whether links still answer; nil: nobody does

	// What adding entries needs besides accounts; each may be nil.
	Duplicates *duplicates.Index // a view of the directory: shows entries that may be the same
	Owners     *Owners           // a view of the directory: lists one's own entries
	Media      *media.Store      // keeps pictures

	HealthNotes []HealthNotes // further lines on the page of the directory's health

	TaxonomySaved func() // called when the categories were edited here; nil: nobody needs to know

	Site      func() Site
	PublicURL string // scheme and host, without a trailing slash; empty means as the request says
	Version   string
	DataDir   string
	Log       *slog.Logger
	Now       func() time.Time

	Federation http.Handler       // the instance in the fediverse; nil: it takes no part
	Fediverse  Fediverse          // what pages need of it; nil with Federation
	Operators  *fediverse.Service // the operator's part of it, and what others report; nil with Federation

	Islands *archipelago.Service // the pages of the other directories; nil: there are none
	Echoes  *echoes.Service      // what comes back from there; nil with Federation

	Archipelago Archipelago // the directories whose entries are shown here; nil with Federation
}

// Server answers HTTP requests. Create it with [New].
type Server struct {
	Options
	app      *fiber.App
	metrics  *metrics
	requests *requestNames
	maps     *pictures
	known    *lru[string, kept] // pictures of ours, by address
	tiles    *lru[string, []byte]
	packed   *lru[string, []byte] // built files as brotli, by name
	terms    termsCache

	waitingKinds *lru[string, waitingKind] // by entry and version

	importWake chan struct{}                 // an import was asked for
	batches    transfer.Tally                // of the imports that there were
	inZone     atomic.Pointer[time.Location] // the site's time zone, last read

	meanings  *lru[string, meant]
	asks      *askLimit
	belonging *belonging.Service // who keeps what; nil without accounts
	ready     atomic.Bool
}

// maxBody is the largest request body, in bytes.
const maxBody = 1 << 20

// New makes a server; [Server.Serve] starts it.
func New(o Options) (*Server, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	maps, err := newPictures(o.Basemap)
	if err != nil {
		return nil, err
	}
	s := &Server{Options: o, requests: newRequestNames(), metrics: newMetrics(o.Directory, o.Index), maps: maps, known: newLRU[string, kept](5000), tiles: newLRU[string, []byte](2000), packed: newLRU[string, []byte](50), meanings: newMeanings(), asks: newAskLimit(o.Now)}
	s.importWake, s.waitingKinds = make(chan struct{}, 1), newLRU[string, waitingKind](20_000)
	s.app = fiber.New(fiber.Config{
		AppName:               "archipel",
		DisableStartupMessage: true,
		Immutable:             true, // strings outlive their request in caches and logs
		BodyLimit:             maxBody,
		ReadTimeout:           20 * time.Second,
		WriteTimeout:          60 * time.Second,
		IdleTimeout:           90 * time.Second,
		ReadBufferSize:        16 << 10,
		ErrorHandler:          s.fail,
		UnescapePath:          true,
		StrictRouting:         false,
	})
	s.app.Server().HeaderReceived = widen
	s.routes()
	return s, nil
}

func (s *Server) routes() {
	app := s.app
	app.Use(s.observe, s.protect, s.squeeze)
	s.federate(app)
	if s.Freshness != nil {
		s.Freshness.Routes(app, s.page, s.render) // links of mails are signed: no form's token, no session
	}
	if s.Digest != nil {
		s.Digest.Links(app, s.page, s.render)
	}
	if s.Accounts != nil {
		app.Use(s.Accounts.Middleware)
		s.Accounts.Routes(app, s.page, s.render)
		if s.Owners != nil {
			s.Accounts.Teams = s.Owners.Keeps
		}
		s.belonging = belonging.New(belonging.Options{Directory: s.Directory, Accounts: s.Accounts, Site: s.Accounts.Site, Page: s.page, Render: s.render, Broken: s.brokenOf})
		s.belonging.Routes(app)
		if s.Echoes != nil {
			s.Echoes.Routes(app, s.page, s.render, func() *time.Location { return s.presenter(s.Site().Languages[0]).zone })
		}
	}

	if s.Digest != nil {
		s.Digest.Routes(app, s.page, s.render)
	}

	app.Get("/healthz", s.healthz)
	app.Get("/readyz", s.readyz)
	app.Get("/metrics", s.metricsPage)

	app.Get("/static/:name", s.static)
	app.Get("/robots.txt", s.robots)
	app.Get("/favicon.ico", s.favicon)
	app.Get("/manifest.webmanifest", s.manifest)

	app.Get("/", s.home)
	app.Get("/e/:slug.ics", s.entryCalendar) // before the page: a slug has no dot
	app.Get("/e/:slug.atom", s.entryFeed("atom"))
	app.Get("/e/:slug.rss", s.entryFeed("rss"))
	app.Get("/e/:slug", s.entryPage)
	app.Get("/e/:slug/history", s.historyPage)
	app.Get("/e/:slug/map.png", s.entryMap)
	app.Get("/agenda", s.agenda)
	app.Get("/embed", s.embed)
	app.Get("/embed/new", s.embedNew)
	app.Get("/id/:id", s.byID)
	app.Get("/complete", s.complete)
	app.Get("/about", s.aboutPage)
	app.Get("/map.png", s.listMap)
	app.Get("/sitemap.xml", s.sitemap)

	for format := range formats {
		app.Get("/entries."+format, s.export(format))
	}

	if s.Accounts != nil && s.Waiting != nil {
		s.moderationRoutes()
		s.freshnessRoutes()
		s.linkRoutes()
		s.pairRoutes()
		s.twinRoutes()
	}

	if s.Accounts != nil && s.Waiting != nil {
		s.curateRoutes()
	}
	s.postingRoutes()
	s.calendarRoutes()
	s.fediverseRoutes()
	s.islandRoutes()
	s.operatorRoutes()

	app.Get("/tiles/entries.json", s.entriesTileJSON)
	app.Get("/tiles/entries/:z/:x/:y.mvt", s.entriesTile)
	app.Get("/tiles/base.json", s.baseTileJSON)
	app.Get("/tiles/base/:z/:x/:y.:ext", s.tilesOf(s.Basemap))
	app.Get("/tiles/world/:z/:x/:y.mvt", s.tilesOf(s.Basemap.World())) // under a basemap of pictures

	g := app.Group("/api")
	g.Get("/", s.landing)
	g.Get("/openapi.json", s.openAPI)
	g.Get("/conformance", s.conformance)
	g.Get("/collections", s.collections)
	g.Get("/collections/:collection", s.collection)
	g.Get("/collections/:collection/items", s.items)
	g.Get("/collections/:collection/items/:id", s.item)
	s.writeRoutes(g)
	g.Get("/taxonomy", s.taxonomyJSON)

	app.Use(func(c *fiber.Ctx) error { return fiber.NewError(http.StatusNotFound) })
}

// Handler gives the fiber application, for mounting further routes before [Server.Serve].
func (s *Server) Handler() *fiber.App { return s.app }

// SetReady tells /readyz that the directory has caught up.
func (s *Server) SetReady(ready bool) { s.ready.Store(ready) }

// Serve answers on ln until ctx ends; then it accepts no more, lets running requests finish for up to grace, and returns.
func (s *Server) Serve(ctx context.Context, ln net.Listener, grace time.Duration) error {
	failed := make(chan error, 1)
	served := ln
	if s.Accounts != nil { // without them nothing large is taken
		served = newUploads(s.Accounts.ClientOf).listen(s.app.Server(), ln, s.uploadsFull)
	}
	go func() { failed <- s.app.Listener(served) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	if err := s.app.ShutdownWithTimeout(grace); err != nil {
		s.Log.Warn("some requests were cut off", "err", err)
	}
	// A server that is stopped before it began does not know its listener yet, and would wait for ever.
	_ = ln.Close()
	if err := <-failed; err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// base is the address of this server as visitors see it, without a trailing slash.
func (s *Server) base(c *fiber.Ctx) string {
	if s.PublicURL != "" {
		return s.PublicURL
	}
	return "http://" + string(c.Request().Host())
}

// lang is the language that the visitor reads.
func (s *Server) lang(c *fiber.Ctx) string {
	site := s.Site()
	return frontend.Negotiate(c.Query("lang"), c.Cookies("lang"), c.Get(fiber.HeaderAcceptLanguage), site.Languages, site.Languages[0])
}
