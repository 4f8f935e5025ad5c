package transfer

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/wkt"

	"archipel/directory"
)

// missing reports whether a cell says nothing.
func missing(s string) bool {
	switch strings.ToLower(s) {
	case "", "-", "--", "null", "(null)", "n/a", "#n/a", "nan", "#ref!", "#value!", "#name?":
		return true
	}
	return false
}

var degreeForm = regexp.MustCompile(`^([NSEWO]?)\s*([-+]?[0-9]+(?:[.,][0-9]+)?)\s*(?:[°ºd]\s*(?:([0-9]+(?:[.,][0-9]+)?)\s*['′’m]\s*)?(?:([0-9]+(?:[.,][0-9]+)?)\s*(?:"|″|”|''|s)\s*)?)?([NSEWO]?)$`)

// degrees reads a coordinate: decimal degrees with a point or a comma, or degrees, minutes and seconds with their
// signs and a hemisphere (French O is west).
func degrees(s string) (float64, error) {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		switch r {
		case '\u00a0', '\u202f', '\u2009':
			return ' '
		case '\u2212', '\u2013':
			return '-'
		}
		return r
	}, s))
	if v, err := strconv.ParseFloat(s, 64); err == nil && !math.IsNaN(v) && !math.IsInf(v, 0) && !strings.ContainsAny(s, "xXpP_") {
		return v, nil
	}
	m := degreeForm.FindStringSubmatch(strings.ToUpper(s))
	if m == nil {
		if m = degreeForm.FindStringSubmatch(s); m == nil {
			return 0, fmt.Errorf("%.40q is no coordinate in degrees", s)
		}
	}
	var parts [3]float64
	for i, p := range m[2:5] {
		if p != "" {
			v, err := strconv.ParseFloat(strings.Replace(p, ",", ".", 1), 64)
			if err != nil || i > 0 && v >= 60 {
				return 0, fmt.Errorf("%.40q is no coordinate in degrees", s)
			}
			parts[i] = v
		}
	}
	v := math.Abs(parts[0]) + parts[1]/60 + parts[2]/3600
	hemisphere := m[1] + m[5]
	if len(hemisphere) > 1 {
		return 0, fmt.Errorf("%.40q names two hemispheres", s)
	}
	if strings.HasPrefix(m[2], "-") || strings.ContainsAny(hemisphere, "SWO") && hemisphere != "" {
		v = -v
	}
	return v, nil
}

// pair splits a cell that holds two coordinates.
func pair(s string) (a, b float64, err error) {
	s = strings.Trim(strings.TrimSpace(s), "[](){}")
	var parts []string
	for _, sep := range []string{";", "|", "/", ", ", ","} {
		if parts = strings.Split(s, sep); len(parts) == 2 {
			break
		}
	}
	if len(parts) == 4 { // decimal commas: 45,43,4,39
		parts = []string{parts[0] + "." + strings.TrimSpace(parts[1]), parts[2] + "." + strings.TrimSpace(parts[3])}
	}
	if len(parts) != 2 {
		parts = strings.Fields(s)
	}
	if len(parts) != 2 {
		return 0, 0, fmt.Errorf("%.60q: want two coordinates", s)
	}
	if a, err = degrees(parts[0]); err != nil {
		return 0, 0, err
	}
	b, err = degrees(parts[1])
	return a, b, err
}

// geometry reads GeoJSON or WKT. Lines and areas become their centre; reduced says so.
func geometry(s string) (points []orb.Point, reduced bool, err error) {
	var g orb.Geometry
	if strings.HasPrefix(strings.TrimSpace(s), "{") {
		var shape directory.Shape
		if err := json.Unmarshal([]byte(s), &shape); err != nil {
			return nil, false, err
		}
		g = shape.Geometry
	} else {
		if _, body, ok := strings.Cut(s, ";"); ok && strings.HasPrefix(strings.ToUpper(s), "SRID=") {
			if !strings.HasPrefix(strings.ToUpper(s), "SRID=4326;") {
				return nil, false, errors.New("coordinates are not WGS 84 (SRID 4326)")
			}
			s = body
		}
		if g, err = parseWKT(s); err != nil {
			return nil, false, err
		}
	}
	return sites(g)
}

// maxNested is how many brackets of WKT may be in one another, since reading each reads all that is in it again. A collection of
// areas of several parts has four.
const maxNested = 16

func parseWKT(s string) (g orb.Geometry, err error) {
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth > maxNested {
			return nil, errors.New("WKT with too many brackets in one another")
		}
	}
	defer func() {
		if recover() != nil {
			g, err = nil, errors.New("broken WKT")
		}
	}()
	return wkt.Unmarshal(s)
}

// dates in the order in which they are tried. Day before month: that is how France and most of the world write.
var dateForms = []struct {
	layout string
	day    bool
}{
	{time.RFC3339Nano, false}, {"2006-01-02T15:04:05", false}, {"2006-01-02T15:04", false}, {"2006-01-02 15:04:05Z07:00", false},
	{"2006-01-02 15:04:05-07", false}, {"2006-01-02 15:04:05", false}, {"2006-01-02 15:04", false}, {"2006-01-02", true}, {"20060102T150405Z", false},
	{"20060102T150405", false}, {"20060102", true}, {"2/1/2006 15:04:05", false}, {"2/1/2006 15:04", false},
	{"2/1/2006", true}, {"2.1.2006 15:04", false}, {"2.1.2006", true}, {"2-1-2006 15:04", false}, {"2-1-2006", true}, {"2006/1/2", true},
	{"2/1/06", true},
}

var frenchHours = regexp.MustCompile(`\b([0-9]{1,2})\s?[hH]\s?([0-5][0-9])?\b`)

// moment reads a date, with or without a time of day; day reports that there was none.
func moment(s string, zone *time.Location) (t time.Time, day bool, err error) {
	s = strings.TrimSpace(s)
	if zone == nil {
		zone = time.UTC
	}
	clean := strings.NewReplacer(" à ", " ", ", ", " ").Replace(s)
	if !strings.ContainsAny(clean, "T:") {
		clean = frenchHours.ReplaceAllStringFunc(clean, clock)
	}
	for _, f := range dateForms {
		if t, err := time.ParseInLocation(f.layout, clean, zone); err == nil {
			return t, f.day, nil
		}
	}
	return time.Time{}, false, fmt.Errorf("%.40q is no date", s)
}

// clock turns 18h, 18h30 and 18:30 into 18:30.
func clock(s string) string {
	m := frenchHours.FindStringSubmatch(s)
	if m == nil {
		return s
	}
	if len(m[1]) == 1 {
		m[1] = "0" + m[1]
	}
	if m[2] == "" {
		m[2] = "00"
	}
	return m[1] + ":" + m[2]
}

// list splits a cell that holds several values: a JSON array, or text between bars, semicolons or, when there are
// neither, commas.
func list(s string) []string {
	s = strings.TrimSpace(s)
	if strings.HasPrefix(s, "[") {
		var out []string
		if json.Unmarshal([]byte(s), &out) == nil {
			return out
		}
	}
	sep := ","
	for _, c := range []string{"|", ";", "\n"} {
		if strings.Contains(s, c) {
			sep = c
			break
		}
	}
	var out []string
	for part := range strings.SplitSeq(s, sep) {
		if part = strings.TrimSpace(part); !missing(part) {
			out = append(out, part)
		}
	}
	return out
}

func truth(s string) (bool, error) {
	switch directory.Fold(s) {
	case "true", "1", "yes", "oui", "vrai", "x", "y", "o":
		return true, nil
	case "false", "0", "no", "non", "faux", "n", "":
		return false, nil
	}
	return false, fmt.Errorf("%.20q: want yes or no", s)
}

var (
	urlInText = regexp.MustCompile(`(?i)\b(?:https?:/{1,2}|www\.)[^\s|<>"\]\[]+`)
	hostOnly  = regexp.MustCompile(`(?i)^[\p{L}0-9-]+(\.[\p{L}0-9-]+)*\.[a-z]{2,24}([/?#:][^\s|]*)?$`)
	handle    = regexp.MustCompile(`^@?[\p{L}0-9_.-]{2,60}$`)
	mailbox   = regexp.MustCompile(`[\p{L}0-9._%+-]+@[\p{L}0-9.-]+\.[\p{L}]{2,24}`)
)

// webAddresses finds the web addresses in a cell, with "https://" before those that have no scheme.
func webAddresses(s string) []string {
	s = strings.TrimSpace(s)
	if u, err := url.Parse(s); err == nil && !strings.ContainsAny(s, " |") && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" {
		return []string{s}
	}
	if hostOnly.MatchString(s) && !strings.Contains(s, "@") {
		return []string{"https://" + s}
	}
	if strings.Contains(s, "://") && !urlInText.MatchString(s) {
		return nil // some other scheme: not ours to guess
	}
	var out []string
	for _, found := range urlInText.FindAllString(s, 10) {
		found = strings.TrimRight(found, ".,;:!?)'")
		if strings.HasPrefix(strings.ToLower(found), "www.") {
			found = "https://" + found
		}
		if scheme, rest, ok := strings.Cut(found, ":/"); ok && !strings.HasPrefix(rest, "/") {
			found = scheme + "://" + rest // http:/example.org
		}
		if u, err := url.Parse(found); err == nil && u.Host != "" {
			out = append(out, found)
		}
	}
	return out
}

// networks are the sites whose accounts people give as a bare name.
var networks = map[string]string{
	"twitter": "https://twitter.com/", "facebook": "https://www.facebook.com/", "instagram": "https://www.instagram.com/",
	"linkedin": "https://www.linkedin.com/company/", "youtube": "https://www.youtube.com/",
	"wikidata": "https://www.wikidata.org/wiki/",
}

var relHosts = map[string]string{
	"twitter.com": "twitter", "x.com": "twitter", "facebook.com": "facebook", "instagram.com": "instagram", "linkedin.com": "linkedin",
	"youtube.com": "youtube", "youtu.be": "youtube", "openstreetmap.org": "openstreetmap", "wikidata.org": "wikidata", "helloasso.com": "donate",
	"vimeo.com": "video", "dailymotion.com": "video",
}

// relOf tells the rel of a link by its host, or returns the one that the column says.
func relOf(link, otherwise string) string {
	u, err := url.Parse(link)
	if err != nil {
		return otherwise
	}
	host := strings.ToLower(u.Hostname())
	for {
		if rel := relHosts[host]; rel != "" {
			return rel
		}
		_, parent, ok := strings.Cut(host, ".")
		if !ok {
			return otherwise
		}
		host = parent
	}
}

// links reads a cell of a column that holds links of one rel: addresses, or the bare name of an account.
func links(s, rel string) []directory.Link {
	var out []directory.Link
	for _, address := range webAddresses(s) {
		out = append(out, directory.Link{Rel: relOf(address, rel), URL: address})
	}
	if len(out) > 0 {
		return out
	}
	base := networks[rel]
	if base == "" {
		return nil
	}
	name := strings.TrimSpace(s)
	if rel == "twitter" || rel == "instagram" || rel == "wikidata" {
		if !handle.MatchString(name) {
			return nil
		}
		return []directory.Link{{Rel: rel, URL: base + strings.TrimPrefix(name, "@")}}
	}
	name = strings.Trim(strings.TrimPrefix(name, "@"), "/")
	if name == "" || strings.ContainsAny(name, " <>\"?#:") {
		return nil
	}
	if rel == "youtube" {
		name = "@" + name
	}
	return []directory.Link{{Rel: rel, URL: base + (&url.URL{Path: name}).EscapedPath()}}
}

// mojibake matches UTF-8 text that was read as Windows-1252 once too often: "ThÃ©Ã¢tre".
var mojibake = regexp.MustCompile(`Ã[©¨ª«®¯´¹»§¢\x{00a0}¡³±¶¼]|â€[™œ¦“”\x{009d}]`)

// excerpt shortens a value for a report.
func excerpt(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '·'
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
	if r := []rune(s[:min(len(s), 400)]); len(r) > 60 || len(s) > 400 {
		return string(r[:min(len(r), 60)]) + "…"
	}
	return s
}
