package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"archipel/api"
	"archipel/api/account"
	"archipel/api/digest"
	"archipel/api/freshness"
	"archipel/api/signed"
	"archipel/directory"
	"archipel/directory/taxonomy"
	"archipel/geo"
	"archipel/geo/geocode"
)

// openFreshness makes the service that asks the people of entries whether these are still true.
func openFreshness(d *directory.Directory, accounts *account.Service, keys *signed.Keys, waiting *api.Waiting, site func() api.Site, log *slog.Logger) *freshness.Service {
	return freshness.New(freshness.Options{Directory: d, Accounts: accounts, Keys: keys, Unseen: waiting.Unseen, Log: log, Site: func() freshness.Settings {
		s := site()
		return freshness.Settings{Ask: s.AskAfter, Languages: s.Languages, Fictional: s.Demo}
	}})
}

// openDigest makes the service that tells by mail what is new in an area.
func openDigest(d *directory.Directory, index *geo.Index, words *taxonomy.Taxonomy, places *geocode.Gazetteer, accounts *account.Service, keys *signed.Keys, site func() api.Site, log *slog.Logger) *digest.Service {
	s := digest.New(digest.Options{Directory: d, Index: index, Taxonomy: words, Places: places, Accounts: accounts, Keys: keys, Log: log, Site: func() digest.Site {
		about := site()
		zone, err := time.LoadLocation(about.Timezone)
		if err != nil {
			zone = time.UTC
		}
		return digest.Site{Languages: about.Languages, Zone: zone}
	}})
	accounts.Digests = s.Kept
	return s
}

// forget erases what is known of a person whose account is deleted, beside the account: in entries and what waits for
// moderators, and the digests to their address.
func forget(d *directory.Directory) func(context.Context, *account.Account) error {
	inDirectory, letters := api.Forget(d), digest.New(digest.Options{Directory: d})
	return func(ctx context.Context, a *account.Account) error {
		return errors.Join(inDirectory(ctx, a), letters.Forget(ctx, a.Mail))
	}
}
