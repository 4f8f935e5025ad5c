package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"time"

	"archipel/api"
	"archipel/api/account"
	"archipel/directory"
	"archipel/directory/subscribed"
	"archipel/frontend"
	"archipel/geo/geocode"

	"github.com/paulmach/orb"
)

// openCalendars makes what fetches the calendars that organisations keep elsewhere. address is where people reach this
// server; an instance on this machine alone may ask servers on it, as its operator tries things out.
func openCalendars(c config, d *directory.Directory, index *subscribed.Index, accounts *account.Service, mailer *account.Mailer, places *geocode.Locator, site func() api.Site, address string, log *slog.Logger) *subscribed.Service {
	if c["public-url"] != "" {
		address = c["public-url"]
	}
	alone := false
	if u, err := url.Parse(c["public-url"]); err == nil {
		ip := net.ParseIP(u.Hostname())
		alone = u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	}
	find := locator{places}
	return subscribed.New(subscribed.Options{
		Directory: d, Index: index, Loopback: alone, Log: log, Publish: api.PublishesCalendar(accounts),
		UserAgent: "Archipel/" + version() + " (+" + address + ")",
		Zone: func() *time.Location {
			zone, err := time.LoadLocation(site().Timezone)
			if err != nil {
				return time.UTC
			}
			return zone
		},
		Licence: func() string { return site().Licence },
		Locate: func(ctx context.Context, e *directory.Entry) {
			if e.Address == nil {
				return
			}
			at, found, err := find.Locate(ctx, *e.Address, e.Lang)
			if err != nil {
				log.Debug("the place of an event could not be looked for", "err", err)
			}
			if err == nil && found {
				e.Sites, e.Approximate = []orb.Point{at.Point}, at.Approximate
			}
		},
		Tell: func(ctx context.Context, cal *subscribed.Calendar, org *directory.Entry, held bool) {
			title := cal.Title
			if title == "" {
				title = cal.Host()
			}
			a, err := accounts.Get(ctx, cal.By)
			if err != nil {
				return // whoever subscribed has left; the page says it to those who stay
			}
			words := frontend.T(a.Lang)
			if a.Lang == "" {
				words = frontend.T(site().Languages[0])
			}
			msg := account.Message{Account: a.ID, Template: "mail.calendar_held", Link: address + frontend.CalendarsURL(org.Slug),
				Params: map[string]string{"Calendar": title, "Entry": org.Name}}
			since := cal.Fetched
			if !held && cal.Trouble != nil {
				msg.Template, since = "mail.calendar_failing", cal.Trouble.Since
				msg.Params["Why"] = words.Code("calendar_trouble", cal.Trouble.Code)
			} else if cal.Held != nil {
				since = cal.Held.Since
			}
			msg.Key = fmt.Sprintf("%s %s %d", msg.Template, cal.Key, since.Unix())
			if err := mailer.Send(ctx, msg); err != nil {
				log.Error("a team is not told of its calendar", "calendar", cal.Key, "err", err)
			}
		},
	})
}
