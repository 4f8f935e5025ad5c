package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

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
	if err != nil {
		return nil, nil, fmt.Errorf("-trusted-proxies: %w", err)
	}
	return service, mailer, nil
}

// accountCommand makes and changes accounts from the command line, for the first administrator and for emergencies.
func accountCommand(ctx context.Context, env *environment, args []string) error {
	set := flags("account", env)
	role := set.String("role", string(account.Member), "member, moderator or admin")
	mail := set.String("mail", "", "mail address")
	name := set.String("name", "", "name; empty: the first part of the address")
	c, rest, err := parse(set, env, args)
	if err != nil {
		return err
	}
	if len(rest) == 0 {
		return fmt.Errorf("account: want create, list, role, link or delete: %w", errUsage)
	}
	log, err := c.logger(env)
	if err != nil {
		return err
	}
	store, err := c.store(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	site := &siteCache{store: store, log: log}
	site.refresh(ctx)
	address := c["public-url"]
	if address == "" {
		address = "http://" + strings.Replace(c["listen"], "0.0.0.0", "localhost", 1)
	}
	service, _, err := openAccounts(c, store, site.get, address, log)
	if err != nil {
		return err
	}
	verb, rest := rest[0], rest[1:]
	if *mail == "" && len(rest) > 0 && verb != "list" {
		*mail, rest = rest[0], rest[1:]
	}
	if len(rest) > 0 && verb == "role" {
		*role, rest = rest[0], rest[1:]
	}
	if len(rest) > 0 {
		return fmt.Errorf("account %s: what is %q? %w", verb, rest[0], errUsage)
	}
	if verb == "list" {
		return listAccounts(ctx, env, service)
	}
	if *mail == "" {
		return fmt.Errorf("account %s: say which one with -mail: %w", verb, errUsage)
	}
	if verb == "create" {
		_, link, err := service.Create(ctx, *mail, *name, account.Role(*role), "")
		if err != nil {
			return fmt.Errorf("account create: %w", err)
		}
		return printLink(env, link)
	}
	a, err := service.ByMail(ctx, *mail)
	if err != nil {
		return fmt.Errorf("account %s %s: %w", verb, *mail, err)
	}
	switch verb {
	case "role":
		_, err := service.SetStanding(ctx, a.ID, account.Standing{Role: account.Role(*role), Trusted: a.Trusted, Blocked: a.Blocked, Wards: a.Wards})
		return err
	case "link":
		link, err := service.Welcome(ctx, a)
		if err != nil {
			return err
		}
		return printLink(env, link)
	case "delete":
		d, err := directory.Open(ctx, directory.Options{Store: store, Log: log})
		if err != nil {
			return err
		}
		service.Forget = forget(d)
		return service.Delete(ctx, a.ID)
	}
	return fmt.Errorf("account: no %q: want create, list, role, link or delete: %w", verb, errUsage)
}

func printLink(env *environment, link string) error {
	_, err := fmt.Fprintf(env.stdout, "Choose a password, once, within a week, at\n%s\n", link)
	return err
}

func listAccounts(ctx context.Context, env *environment, service *account.Service) error {
	table := tabwriter.NewWriter(env.stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "MAIL\tNAME\tROLE\tSINCE\tSEEN\t")
	err := service.All(ctx, func(a *account.Account) bool {
		seen, blocked := "never", ""
		if !a.Seen.IsZero() {
			seen = a.Seen.Format(time.DateOnly)
		}
		if a.Blocked {
			blocked = "blocked"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", a.Mail, a.Name, a.Role, a.Created.Format(time.DateOnly), seen, blocked)
		return true
	})
	return errors.Join(err, table.Flush())
}

// welcome says where the first administrator's account is made, while there is none.
func welcome(ctx context.Context, env *environment, service *account.Service) error {
	link, err := service.SetupLink(ctx)
	if err != nil || link == "" {
		return err
	}
	_, err = fmt.Fprintf(env.stdout, "Make the first account, which administers it, at %s\n", link)
	return err
}
