package api

import (
	"context"
	"encoding/json"
	"errors"

	"archipel/api/fediverse"
	"archipel/directory"
)

// operatorRoutes are the operator's pages of the fediverse.
func (s *Server) operatorRoutes() {
	if s.Operators == nil || s.Accounts == nil {
		return
	}
	s.Operators.Routes(s.app, fediverse.House{
		Accounts: s.Accounts, Page: s.page, Render: s.render, Zone: s.zone, SignedFetch: s.signedFetch, SetSignedFetch: s.setSignedFetch,
	})
	s.HealthNotes = append(s.HealthNotes, s.Operators.Health)
}

func (s *Server) signedFetch(ctx context.Context) (bool, error) {
	value, _, err := s.Directory.Store().Setting(ctx, SiteKey)
	if err != nil {
		return false, err
	}
	site, err := ParseSite(value)
	return site.SignedFetch, err
}

// setSignedFetch changes one setting of the site, over what others change meanwhile.
func (s *Server) setSignedFetch(ctx context.Context, on bool) error {
	store := s.Directory.Store()
	for {
		value, rev, err := store.Setting(ctx, SiteKey)
		if err != nil {
			return err
		}
		site, err := ParseSite(value)
		if err != nil || site.SignedFetch == on {
			return err
		}
		site.SignedFetch = on
		b, err := json.Marshal(site)
		if err != nil {
			return err
		}
		if err = store.PutSetting(ctx, SiteKey, b, rev); !errors.Is(err, directory.ErrStale) {
			return err
		}
	}
}
