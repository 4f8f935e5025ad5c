package api

import (
	"context"
	"html"
	"strings"

	"archipel/directory"
	"archipel/frontend"
)

// maxCredits is how many sources are named where there is not room for all; the largest come first.
const maxCredits = 30

// credits are the sources of what is shown, the largest first, under which licences and in which words they are to be named.
func (s *Server) credits(lang string) []frontend.Credit {
	var list []frontend.Credit
	for _, credit := range s.Sources.List() {
		c := frontend.Credit{Name: credit.Name, URL: credit.URL, Licence: credit.Licence, LicenceURL: directory.LicenceURL(credit.Licence), Count: credit.Count,
			Note: s.attribution(credit.Name)}
		if credit.Licence == directory.LicenceNotStated {
			c.Licence = frontend.T(lang).Text("notice.licence_not_stated")
		}
		list = append(list, c)
	}
	return list
}

// tileCredit names where the entries of tiles come from, as HTML like any TileJSON; about is where all of it stands.
func (s *Server) tileCredit(lang, about string) string {
	link := func(text, address string) string {
		text = html.EscapeString(text)
		if !strings.HasPrefix(address, "http://") && !strings.HasPrefix(address, "https://") {
			return text
		}
		return `<a href="` + html.EscapeString(address) + `">` + text + "</a>"
	}
	list := s.credits(lang)
	var names []string
	for _, credit := range list[:min(len(list), maxCredits)] {
		name := link(credit.Name, credit.URL)
		if credit.Licence != "" {
			name += " (" + link(credit.Licence, credit.LicenceURL) + ")"
		}
		if credit.Note != "" {
			name += " " + html.EscapeString(credit.Note)
		}
		names = append(names, name)
	}
	if len(list) > maxCredits {
		names = append(names, link("…", about))
	}
	return strings.Join(names, ", ")
}

// attribution is what a source asks to be written beside its data.
func (s *Server) attribution(source string) string {
	return s.termsOf(context.Background(), source).Attribution // an export is written after its request has been handled
}
