package federation

import (
	"context"
	"strings"

	"archipel/directory"
	"archipel/federation/vocab"
)

// PageElsewhere is the page of an organisation in another directory of ours, by the address of its actor; "" of any other
// account. The page is on the actor's own server, and is what that server says now.
func (s *Service) PageElsewhere(ctx context.Context, actor string) string {
	host := vocab.Host(actor)
	_, id, ours := strings.Cut(actor, "://"+host+"/ap/actors/")
	if host == "" || !ours || !directory.ID(id).Valid() || s.ours(actor) {
		return ""
	}
	a, err := s.actors.get(ctx, actor)
	if err != nil {
		return ""
	}
	t := vocab.ReadThing(a.Doc)
	if !vocab.SameOrigin(t.URL, actor) || vocab.Text(a.Doc, "upcomingEvents") == "" {
		return ""
	}
	return t.URL
}
