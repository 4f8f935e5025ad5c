package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"archipel/api/account"
	"archipel/directory"
	"archipel/frontend"
)

// Site is what an operator says of the instance. It is a setting of the store, under [SiteKey].
type Site struct {
	Name      string   `json:"name"`
	Territory string   `json:"territory,omitempty"`
	Tagline   string   `json:"tagline,omitempty"`
	Accent    string   `json:"accent,omitempty"` // "#rrggbb"
	Logo      string   `json:"logo,omitempty"`   // path on this server
	Languages []string `json:"languages"`        // the first is the default
	Timezone  string   `json:"timezone"`         // IANA name, of events that name none
	Operator  string   `json:"operator,omitempty"`
	Contact   string   `json:"contact,omitempty"` // mail address or URL
	Address   string   `json:"address,omitempty"`
	About     string   `json:"about,omitempty"` // Markdown, in the operator's words
	Licence   string   `json:"licence,omitempty"`
	Bounds    *Bounds  `json:"bounds,omitempty"` // what the map shows first; empty: where the entries are
	Demo      bool     `json:"demo,omitempty"`

	// SignedFetch shows what organisations and people post to servers of the fediverse that sign their requests, and to no other.
	SignedFetch bool `json:"signedFetch,omitempty"`

	SignUp account.SignUp `json:"signup,omitempty"` // who may make an account; empty: everybody

	Review Review `json:"review,omitempty"` // when moderators look at what members change; empty: [ReviewAfter]

	AskAfter  int `json:"askAfter"`  // months after which the people of an entry are asked whether it is still true; 0: never
	FadeAfter int `json:"fadeAfter"` // months after which what nobody confirmed fades in lists; 0: never

	CheckLinks bool `json:"checkLinks"` // whether the links of entries are looked at, about once a month
}

// Bounds is a box in degrees.
type Bounds = frontend.Bounds

// Review says when moderators look at the change of a public entry by somebody who may not publish.
type Review string

// When changes are looked at.
const (
	ReviewAfter  Review = "after"  // it is public at once, and the queue lists it
	ReviewBefore Review = "before" // it waits in the queue
)

// ReviewTimes are the possible values of [Review].
var ReviewTimes = []Review{ReviewAfter, ReviewBefore}

// SiteKey is the key of the setting that holds a [Site].
const SiteKey = "site"

// DefaultSite is a directory that nobody has named yet.
func DefaultSite() Site {
	return Site{Name: "Archipel", Languages: []string{"fr", "en"}, Timezone: "Europe/Paris", AskAfter: 12, FadeAfter: 24, CheckLinks: true}
}

// ParseSite reads the setting; nil gives the default.
func ParseSite(b []byte) (Site, error) {
	site := DefaultSite()
	if b == nil {
		return site, nil
	}
	if err := json.Unmarshal(b, &site); err != nil {
		return DefaultSite(), fmt.Errorf("setting %q: %w", SiteKey, err)
	}
	known := frontend.Locales()
	site.Languages = slices.DeleteFunc(site.Languages, func(l string) bool { return !slices.Contains(known, l) })
	if len(site.Languages) == 0 {
		site.Languages = DefaultSite().Languages
	}
	return site, nil
}

func (s *Server) pageSite(base string) frontend.Site {
	site := s.Site()
	report := ""
	if strings.Contains(site.Contact, "@") {
		report = "mailto:" + site.Contact + "?subject={slug}"
	}
	if s.Accounts != nil && s.Waiting != nil {
		report = "/e/{slug}/report"
	}
	return frontend.Site{
		Name: site.Name, Territory: site.Territory, Tagline: site.Tagline, Accent: site.Accent, LogoURL: site.Logo,
		PublicURL: base, Languages: site.Languages, Demo: site.Demo, ReportURL: report, AddURL: s.addURL(), Digests: s.Digest != nil,
	}
}

// maxMonths is the longest time after which entries are asked about or fade.
const maxMonths = 120

// Change sets fields from KEY=VALUE words, with the names of the JSON form; lists are separated by commas. The error
// names the field.
func (site *Site) Change(words []string) error {
	b, err := json.Marshal(site)
	if err != nil {
		return err
	}
	fields := map[string]any{}
	if err := json.Unmarshal(b, &fields); err != nil {
		return err
	}
	for _, word := range words {
		key, value, ok := strings.Cut(word, "=")
		if !ok {
			return fmt.Errorf("%q: want KEY=VALUE", word)
		}
		switch key {
		case "languages":
			known := frontend.Locales()
			list := strings.Split(value, ",")
			for _, lang := range list {
				if !slices.Contains(known, lang) {
					return fmt.Errorf("languages: %q is not one of %s", lang, strings.Join(known, ", "))
				}
			}
			fields[key] = list
		case "timezone":
			if _, err := directory.Zone(value); err != nil {
				return fmt.Errorf("timezone: %q is no IANA time zone", value)
			}
			fields[key] = value
		case "accent":
			if value != "" && !accentForm.MatchString(value) {
				return fmt.Errorf("accent: %q is no colour like #1f6f8b", value)
			}
			fields[key] = value
		case "bounds":
			p := paramReader{v: map[string][]string{"bounds": {value}}}
			box := p.bbox("bounds")
			if box == nil {
				return fmt.Errorf("bounds: %q: want west,south,east,north in degrees", value)
			}
			fields[key] = Bounds{West: box.Min[0], South: box.Min[1], East: box.Max[0], North: box.Max[1]}
		case "licence":
			if fields[key] = directory.CanonicalLicence(value); value != "" && !directory.KnownLicence(value) {
				return fmt.Errorf("licence: %q is no SPDX identifier", value)
			}
		case "signup":
			if !slices.Contains(account.SignUps, account.SignUp(value)) {
				return fmt.Errorf("signup: %q is not one of %v", value, account.SignUps)
			}
			fields[key] = value
		case "review":
			if !slices.Contains(ReviewTimes, Review(value)) {
				return fmt.Errorf("review: %q is not one of %v", value, ReviewTimes)
			}
			fields[key] = value
		case "signedFetch", "checkLinks":
			on, err := strconv.ParseBool(value)
			if err != nil {
				return fmt.Errorf("%s: %q: want true or false", key, value)
			}
			fields[key] = on
		case "askAfter", "fadeAfter":
			months, err := strconv.Atoi(value)
			if err != nil || months < 0 || months > maxMonths {
				return fmt.Errorf("%s: %q is no number of months from 0 to %d", key, value, maxMonths)
			}
			fields[key] = months
		case "name":
			if strings.TrimSpace(value) == "" {
				return errors.New("name: it is empty")
			}
			fields[key] = value
		case "territory", "tagline", "logo", "operator", "contact", "address", "about":
			fields[key] = value
		default:
			return fmt.Errorf("%q is no field of the site", key)
		}
	}
	if b, err = json.Marshal(fields); err != nil {
		return err
	}
	*site = Site{}
	return json.Unmarshal(b, site)
}

var accentForm = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)
