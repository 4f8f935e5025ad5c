package ical

import (
	"html"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"archipel/directory"

	"github.com/paulmach/orb"
	"golang.org/x/text/unicode/norm"
)

const (
	maxTags   = 10
	maxLinks  = 10
	maxImages = 4
)

// texts takes everything of an event but when it is, and gives its place in the calendar's words.
func (r *reader) texts(e *directory.Entry, s *source) (place string) {
	styled := ""
	for i := range s.props {
		p := &s.props[i]
		text := strings.TrimSpace(unescape(p.value))
		switch p.name {
		case "SUMMARY":
			if tag, ok := directory.LanguageTag(p.param("LANGUAGE")); ok {
				e.Lang = tag
			}
		case "DESCRIPTION":
			if e.Description == "" {
				e.Description = text
			}
		case "X-ALT-DESC":
			if strings.HasPrefix(strings.ToLower(p.param("FMTTYPE")), "text/html") {
				styled = text
			}
		case "STYLED-DESCRIPTION": // RFC 9073
			if strings.HasPrefix(strings.ToLower(p.param("FMTTYPE")), "text/html") && styled == "" {
				styled = text
			}
		case "LOCATION":
			if place == "" {
				place = oneLine(html.UnescapeString(text), directory.MaxLine)
			}
		case "GEO":
			if at, ok := geo(p.value); ok {
				e.Sites = []orb.Point{at}
			}
		case "URL":
			if u := webLink(text); u != "" {
				e.Links = append(e.Links, directory.Link{Rel: "website", URL: u})
			}
		case "CONFERENCE", "X-GOOGLE-CONFERENCE", "X-MICROSOFT-SKYPETEAMSMEETINGURL", "X-MICROSOFT-ONLINEMEETINGEXTERNALLINK":
			if u := webLink(text); u != "" && e.Event.AttendanceURL == "" {
				e.Event.AttendanceURL = u
			}
		case "X-TICKETS-URL", "X-REGISTRATION-URL":
			if u := webLink(text); u != "" {
				e.Event.RegisterURL = u
			}
		case "X-COST", "X-PRICE":
			e.Event.Price = oneLine(text, directory.MaxLine)
		case "CATEGORIES":
			for _, tag := range splitList(p.value) {
				if tag = oneLine(unescape(tag), 100); tag != "" && len(e.Tags) < maxTags {
					e.Tags = append(e.Tags, tag)
				}
			}
		case "ORGANIZER":
			// A name that is no address of a person; the address is not for the public, whoever wrote it into the file.
			if cn := oneLine(unescape(p.param("CN")), directory.MaxLine); cn != "" && !strings.Contains(cn, "@") {
				e.Contact = &directory.Contact{Name: cn}
			}
		case "ATTACH", "IMAGE":
			r.attach(e, p, text)
		}
	}
	r.describe(e, styled)
	if u := webLink(place); u != "" {
		if e.Event.AttendanceURL == "" {
			e.Event.AttendanceURL = u
		}
		place = ""
	}
	if place != "" {
		e.Address = address(place)
	}
	if len(e.Links) > maxLinks {
		e.Links = e.Links[:maxLinks]
	}
	return place
}

// describe settles the description: HTML as Markdown, from where there is some.
func (r *reader) describe(e *directory.Entry, styled string) {
	switch {
	case looksLikeHTML(e.Description):
		e.Description = fromHTML(e.Description)
	case styled != "" && strings.TrimSpace(e.Description) == "":
		e.Description = fromHTML(styled)
	default:
		e.Description = fromPlain(html.UnescapeString(e.Description))
	}
	e.Description = strings.TrimSpace(norm.NFC.String(readable(e.Description, true)))
	if utf8.RuneCountInString(e.Description) > directory.MaxDescription {
		r.warn(WarnTooLong, e.Name, 1)
		e.Description = shortened(e.Description, directory.MaxDescription)
	}
}

// attach takes pictures by their addresses. Those inside the file, and other files, are left aside.
func (r *reader) attach(e *directory.Entry, p *property, text string) {
	u := webLink(text)
	kind := strings.ToLower(p.param("FMTTYPE"))
	if u == "" || len(e.Images) >= maxImages || kind != "" && !strings.HasPrefix(kind, "image/") || kind == "image/svg+xml" {
		return
	}
	if kind == "" && p.name != "IMAGE" && !imageName.MatchString(u) {
		return
	}
	e.Images = append(e.Images, directory.Image{URL: u})
}

var imageName = regexp.MustCompile(`(?i)\.(jpe?g|png|webp|gif)(\?|$)`)

// webLink is s if it is an address of the web, else empty.
func webLink(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > directory.MaxURL || strings.ContainsAny(s, "<>\"") || strings.ContainsFunc(s, unicode.IsSpace) || readable(s, false) != s {
		return ""
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return ""
	}
	return s
}

// geo reads a position: latitude first, then longitude, as nowhere else here. Zero and zero is where nobody meets.
func geo(s string) (orb.Point, bool) {
	a, b, ok := strings.Cut(strings.ReplaceAll(s, `\;`, ";"), ";")
	if !ok {
		a, b, ok = strings.Cut(strings.ReplaceAll(s, `\,`, ","), ",")
	}
	lat, err := strconv.ParseFloat(strings.TrimSpace(a), 64)
	lon, err2 := strconv.ParseFloat(strings.TrimSpace(b), 64)
	if !ok || err != nil || err2 != nil || !(lat >= -90 && lat <= 90) || !(lon >= -180 && lon <= 180) || lat == 0 && lon == 0 {
		return orb.Point{}, false
	}
	return orb.Point{lon, lat}, true
}

// town is a postcode of five digits and the town behind it, as addresses of France and many of its neighbours have them.
var town = regexp.MustCompile(`(?:^|[\s,])(?:F-|FR-)?(\d{5})\s+([^,\d][^,\d]*)`)

// address makes an address of a line: what is before the postcode is the street, what is behind it the town.
func address(place string) *directory.Address {
	m := town.FindStringSubmatchIndex(place)
	if m == nil {
		return &directory.Address{Street: place}
	}
	a := &directory.Address{
		Street:     strings.Trim(place[:m[0]], " ,-–"),
		PostalCode: place[m[2]:m[3]],
		Locality:   strings.Trim(place[m[4]:m[5]], " ,-–"),
	}
	rest := strings.Trim(place[m[1]:], " ,")
	if strings.EqualFold(rest, "france") {
		a.Country = "FR"
	}
	return a
}
