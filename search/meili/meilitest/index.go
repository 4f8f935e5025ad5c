package meilitest

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

type index struct {
	created  time.Time
	settings settings
	docs     map[string]*document
	stop     map[string]bool
}

type document struct {
	id  string
	raw map[string]any
	// Words of each searchable attribute, in the order of the settings.
	words [][]string
}

type settings struct {
	RankingRules         []string            `json:"rankingRules"`
	DistinctAttribute    *string             `json:"distinctAttribute"`
	SearchableAttributes []string            `json:"searchableAttributes"`
	DisplayedAttributes  []string            `json:"displayedAttributes"`
	FilterableAttributes []string            `json:"filterableAttributes"`
	SortableAttributes   []string            `json:"sortableAttributes"`
	StopWords            []string            `json:"stopWords"`
	Synonyms             map[string][]string `json:"synonyms"`
	LocalizedAttributes  []struct {
		Locales           []string `json:"locales"`
		AttributePatterns []string `json:"attributePatterns"`
	} `json:"localizedAttributes"`
	TypoTolerance struct {
		Enabled             bool     `json:"enabled"`
		DisableOnWords      []string `json:"disableOnWords"`
		DisableOnAttributes []string `json:"disableOnAttributes"`
		DisableOnNumbers    bool     `json:"disableOnNumbers"`
		MinWordSizeForTypos struct {
			OneTypo  int `json:"oneTypo"`
			TwoTypos int `json:"twoTypos"`
		} `json:"minWordSizeForTypos"`
	} `json:"typoTolerance"`
	Pagination struct {
		MaxTotalHits int `json:"maxTotalHits"`
	} `json:"pagination"`
	Faceting struct {
		MaxValuesPerFacet int               `json:"maxValuesPerFacet"`
		SortFacetValuesBy map[string]string `json:"sortFacetValuesBy"`
	} `json:"faceting"`
}

func newIndex() *index {
	x := &index{created: time.Now(), docs: map[string]*document{}}
	s := &x.settings
	s.RankingRules = []string{"words", "typo", "proximity", "attribute", "sort", "exactness"}
	s.SearchableAttributes, s.DisplayedAttributes = []string{"*"}, []string{"*"}
	s.TypoTolerance.Enabled = true
	s.TypoTolerance.MinWordSizeForTypos.OneTypo, s.TypoTolerance.MinWordSizeForTypos.TwoTypos = 5, 9
	s.Pagination.MaxTotalHits = 1000
	s.Faceting.MaxValuesPerFacet = 100
	return x
}

var knownRules = map[string]bool{"words": true, "typo": true, "proximity": true, "attribute": true, "sort": true, "exactness": true}

// parseSettings checks a partial update of settings.
func parseSettings(body []byte) (json.RawMessage, *Error) {
	dec := json.NewDecoder(strings.NewReader(string(body)))
	dec.DisallowUnknownFields()
	var s settings
	if err := dec.Decode(&s); err != nil {
		return nil, invalid("bad_request", "Invalid settings: %v", err)
	}
	for _, r := range s.RankingRules {
		name, dir, custom := strings.Cut(r, ":")
		if !knownRules[r] && !(custom && (dir == "asc" || dir == "desc") && name != "") {
			return nil, invalid("invalid_settings_ranking_rules", "`%s` ranking rule is invalid.", r)
		}
	}
	if m := s.TypoTolerance.MinWordSizeForTypos; m.OneTypo > m.TwoTypos {
		return nil, invalid("invalid_settings_typo_tolerance", "`oneTypo` must be at most `twoTypos`.")
	}
	for _, l := range s.LocalizedAttributes {
		for _, code := range l.Locales {
			if len(code) != 3 && len(code) != 2 {
				return nil, invalid("invalid_settings_localized_attributes", "Unknown locale `%s`.", code)
			}
		}
	}
	return body, nil
}

// apply changes the settings that body names, and indexes every document again.
func (x *index) apply(body json.RawMessage) {
	_ = json.Unmarshal(body, &x.settings) // parseSettings has read it
	x.stop = map[string]bool{}
	for _, w := range x.settings.StopWords {
		x.stop[fold(w)] = true
	}
	for _, d := range x.docs {
		x.analyse(d)
	}
}

var validID = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,511}$`)

// add puts documents, all or none.
func (x *index) add(docs []map[string]any) *Error {
	ready := make([]*document, 0, len(docs))
	for _, raw := range docs {
		id, ok := raw["id"]
		if !ok {
			return invalid("missing_document_id", "Document doesn't have a `id` attribute.")
		}
		key := fmt.Sprint(id)
		if !validID.MatchString(key) {
			return invalid("invalid_document_id", "Document identifier `%s` is invalid.", key)
		}
		if geo, ok := raw["_geo"]; ok && geo != nil {
			if _, _, ok := position(raw); !ok {
				return invalid("invalid_document_geo_field", "The `_geo` field in the document with the id: `%s` is not valid.", key)
			}
		}
		d := &document{id: key, raw: raw}
		ready = append(ready, d)
	}
	for _, d := range ready {
		x.analyse(d)
		x.docs[d.id] = d
	}
	return nil
}

func position(raw map[string]any) (lat, lng float64, ok bool) {
	g, _ := raw["_geo"].(map[string]any)
	lat, a := g["lat"].(float64)
	lng, b := g["lng"].(float64)
	return lat, lng, a && b && lat >= -90 && lat <= 90 && lng >= -180 && lng <= 180
}

func (x *index) analyse(d *document) {
	d.words = d.words[:0]
	for _, a := range x.settings.SearchableAttributes {
		var words []string
		for _, v := range values(d.raw, a) {
			for _, w := range tokens(fmt.Sprint(v)) {
				if !x.stop[w] {
					words = append(words, w)
				}
			}
			words = append(words, "") // values are no neighbours
		}
		d.words = append(d.words, words)
	}
}

// values returns the scalars at a dotted path.
func values(raw any, path string) []any {
	switch v := raw.(type) {
	case nil:
		return nil
	case []any:
		var out []any
		for _, e := range v {
			out = append(out, values(e, path)...)
		}
		return out
	case map[string]any:
		if path == "" {
			return nil
		}
		if path == "*" {
			var out []any
			for _, e := range v {
				out = append(out, values(e, "")...)
			}
			return out
		}
		head, rest, _ := strings.Cut(path, ".")
		return values(v[head], rest)
	}
	if path == "" {
		return []any{raw}
	}
	return nil
}

// fold brings words to the form in which they are compared.
func fold(s string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(strings.ToLower(s)) {
		switch {
		case unicode.Is(unicode.Mn, r):
		case r == 'œ':
			b.WriteString("oe")
		case r == 'æ':
			b.WriteString("ae")
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func tokens(s string) []string {
	return strings.FieldsFunc(fold(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

func has(list []string, s string) bool { return slices.Contains(list, s) }
