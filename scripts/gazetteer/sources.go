package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"
)

// row is a line of GeoNames' cities500.
type row struct {
	id         uint32
	name       string
	alternates []string
	lat, lon   float64
	feature    string // PPL, PPLA2, PPLX, ...
	country    string // ISO 3166-1
	admin      [4]string
	pop        int
}

// readCities reads the 19 tab-separated columns that GeoNames documents in its
// export dump.
func readCities(path string) ([]row, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var rows []row
	lines := bufio.NewScanner(f)
	lines.Buffer(make([]byte, 1<<20), 1<<20)
	for lines.Scan() {
		col := strings.Split(lines.Text(), "\t")
		if len(col) < 15 {
			return nil, fmt.Errorf("%s: line %d has %d columns", path, len(rows)+1, len(col))
		}
		id, err1 := strconv.ParseUint(col[0], 10, 32)
		lat, err2 := strconv.ParseFloat(col[4], 64)
		lon, err3 := strconv.ParseFloat(col[5], 64)
		if err1 != nil || err2 != nil || err3 != nil {
			return nil, fmt.Errorf("%s: line %d: bad number", path, len(rows)+1)
		}
		pop, _ := strconv.Atoi(col[14])
		r := row{id: uint32(id), name: col[1], lat: lat, lon: lon, feature: col[7], country: col[8],
			admin: [4]string(col[10:14]), pop: pop}
		if col[3] != "" {
			r.alternates = strings.Split(col[3], ",")
		}
		rows = append(rows, r)
	}
	return rows, lines.Err()
}

// commune is a line of the official list; type tells present communes from
// delegated ones and from districts.
type commune struct {
	Code           string   `json:"code"`
	Nom            string   `json:"nom"`
	Type           string   `json:"type"`
	Zone           string   `json:"zone"`
	Arrondissement string   `json:"arrondissement"`
	Departement    string   `json:"departement"`
	Region         string   `json:"region"`
	ChefLieu       string   `json:"chefLieu"`
	Commune        string   `json:"commune"`
	Post           []string `json:"codesPostaux"`
	Population     int      `json:"population"`
	AnciensCodes   []string `json:"anciensCodes"`
}

type division struct {
	Code   string `json:"code"`
	Nom    string `json:"nom"`
	Region string `json:"region"`
	Zone   string `json:"zone"`
}

type admin struct {
	communes             []commune
	departements, region []division
}

func readAdmin(dir string) (*admin, error) {
	a := &admin{}
	for name, into := range map[string]any{
		"communes.json": &a.communes, "departements.json": &a.departements, "regions.json": &a.region,
	} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(b, into); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return a, nil
}

// scripts are the writing systems, besides Latin, in which people of a country
// type their towns' names.
var scripts = map[string][]*unicode.RangeTable{}

func init() {
	for table, countries := range map[*unicode.RangeTable]string{
		unicode.Greek:      "GR CY",
		unicode.Cyrillic:   "RU UA BY BG RS MK ME BA KZ KG TJ MN",
		unicode.Armenian:   "AM",
		unicode.Georgian:   "GE",
		unicode.Hebrew:     "IL",
		unicode.Arabic:     "MA DZ TN LY EG SD SA YE OM AE QA BH KW IQ SY JO LB PS MR IR PK AF",
		unicode.Han:        "CN TW HK MO SG JP",
		unicode.Hiragana:   "JP",
		unicode.Katakana:   "JP",
		unicode.Hangul:     "KR KP",
		unicode.Thai:       "TH",
		unicode.Devanagari: "IN NP",
	} {
		for _, c := range strings.Fields(countries) {
			scripts[c] = append(scripts[c], table)
		}
	}
}

// near are the countries whose small towns keep their other names.
var near = map[string]bool{"FR": true, "BE": true, "CH": true, "LU": true, "ES": true, "IT": true, "DE": true, "AD": true,
	"MC": true, "GB": true, "NL": true, "PT": true, "GP": true, "MQ": true, "GF": true, "RE": true, "YT": true, "NC": true, "PF": true}

// keepAlternate tells whether somebody may type this other name: not an
// airport code, not a transliteration from another script, not a name in a script
// that is foreign to the place.
func keepAlternate(r row, name string) bool {
	if r.pop < 15000 && !(near[r.country] && r.pop >= 500) {
		return false
	}
	if len(name) > 60 || len(name) < 3 || strings.ContainsAny(name, "0123456789()/;") {
		return false
	}
	latin, upper := true, true
	for i, c := range name {
		switch {
		case !unicode.IsLetter(c):
			continue
		case unicode.Is(unicode.Latin, c):
			if i == 0 && unicode.IsLower(c) {
				return false // GeoNames writes transliterations in lower case
			}
			upper = upper && unicode.IsUpper(c)
		default:
			latin = false
			if !unicode.In(c, scripts[r.country]...) {
				return false
			}
		}
	}
	if !latin {
		return r.pop >= 15000
	}
	return !(upper && len(name) <= 4)
}
