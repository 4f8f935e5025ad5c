package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"archipel/directory"
	"archipel/federation"
)

// fediverse is the instance's part in the fediverse; nil when it takes none.
type fediverse struct{ *federation.Service }

func (f *fediverse) handler() http.Handler {
	if f == nil {
		return nil
	}
	return f.Service
}

func (f *fediverse) run(ctx context.Context) {
	if f != nil {
		f.Run(ctx)
	}
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

func openFederation(ctx context.Context, c config, d *directory.Directory, published *federation.Published, site *siteCache, log *slog.Logger) (*fediverse, error) {
	on, err := c.federated()
	if err != nil || !on {
		return nil, err
	}
	s, err := federation.New(ctx, federation.Options{
		Directory: d, Published: published, PublicURL: c["public-url"], Version: version(), Log: log,
		Site: func() federation.Site {
			site := site.get()
			return federation.Site{Name: site.Name, Summary: site.Tagline, Lang: site.Languages[0]}
		},
	})
	if err != nil {
		return nil, err
	}
	return &fediverse{s}, nil
}
