package main

import (
	"log/slog"

	"archipel/api"
	"archipel/api/account"
	"archipel/api/freshness"
	"archipel/api/signed"
	"archipel/directory"
)

// openFreshness makes the service that asks the people of entries whether these are still true.
func openFreshness(d *directory.Directory, accounts *account.Service, keys *signed.Keys, waiting *api.Waiting, site func() api.Site, log *slog.Logger) *freshness.Service {
	return freshness.New(freshness.Options{Directory: d, Accounts: accounts, Keys: keys, Unseen: waiting.Unseen, Log: log, Site: func() freshness.Settings {
		s := site()
		return freshness.Settings{Ask: s.AskAfter, Languages: s.Languages, Fictional: s.Demo}
	}})
}
