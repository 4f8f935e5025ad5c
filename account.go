package main

import (
	"log/slog"
	"path/filepath"
	"strings"

	"archipel/api"
	"archipel/api/account"
	"archipel/directory"
)

// openAccounts makes the service of accounts and the mailer behind it. address is where the program listens.
func openAccounts(c config, store directory.Store, site func() api.Site, address string, log *slog.Logger) (*account.Service, *account.Mailer, error) {
	var transport account.Transport = &account.Folder{Dir: filepath.Join(c["data"], "mails"), Log: log}
	if c["smtp"] != "" {
		smtp, err := account.NewSMTP(c["smtp"], c["mail-from"])
		if err != nil {
			return nil, nil, err
		}
		transport = smtp
	}
	about := func() account.Site {
		s := site()
		return account.Site{Name: s.Name, Languages: s.Languages, SignUp: s.SignUp}
	}
	mailer := account.NewMailer(account.MailerOptions{Store: store, Transport: transport, Site: about, Log: log})
	service, err := account.New(account.Options{
		Store: store, Mailer: mailer, Site: about, PublicURL: c["public-url"], Address: address, Proxies: strings.Split(c["trusted-proxies"], ","), Log: log,
	})
	return service, mailer, err
}
