package searchtest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/paulmach/orb"

	"archipel/directory"
)

// Large returns n made-up entries that are always the same: French words of natural frequencies, 400 towns, 9
// categories, 500 tags, and 60 words of text each.
func Large(n int) []directory.Entry {
	r := rand.New(rand.NewPCG(7, 11))
	v := newVocabulary(r)
	list := make([]directory.Entry, n)
	for i := range list {
		list[i] = v.entry(r, i)
	}
	return list
}

type vocabulary struct {
	words, towns, tags []string
	at                 []orb.Point // of towns
	often              *rand.Zipf
	oftenTown          *rand.Zipf
	oftenTag           *rand.Zipf
}

func newVocabulary(r *rand.Rand) *vocabulary {
	v := &vocabulary{}
	on := []string{"b", "c", "ch", "d", "f", "g", "j", "l", "m", "n", "p", "qu", "r", "s", "t", "v", "br", "cl", "fr", "gr", "pl", "tr", ""}
	mid := []string{"a", "e", "é", "i", "o", "u", "ou", "ai", "an", "on", "in", "eu", "au", "è"}
	end := []string{"", "", "r", "l", "n", "s", "t", "tion", "ment", "eur", "ette", "age", "que"}
	seen := map[string]bool{}
	make1 := func() string {
		for {
			var b strings.Builder
			for range 2 + r.IntN(2) {
				b.WriteString(on[r.IntN(len(on))] + mid[r.IntN(len(mid))])
			}
			b.WriteString(end[r.IntN(len(end))])
			if w := b.String(); !seen[w] {
				seen[w] = true
				return w
			}
		}
	}
	v.words = strings.Fields("le la de et des les un une à pour dans avec sur atelier coworking fablab vélo jardin partagé association compost réparation solidaire alimentation local collectif rencontre habitants énergie forêt culture école numérique bibliothèque café épicerie paysan marché recyclerie logement transition citoyenne")
	for len(v.words) < 20_000 {
		v.words = append(v.words, make1())
	}
	v.towns = []string{"Lyon", "Nantes", "Saint-Étienne", "Paris", "Loos-en-Gohelle", "Crest", "Die", "Saillans"}
	for len(v.towns) < 400 {
		w := make1()
		v.towns = append(v.towns, strings.ToUpper(w[:1])+w[1:])
	}
	for range v.towns {
		v.at = append(v.at, orb.Point{-4 + r.Float64()*12, 43 + r.Float64()*8})
	}
	for i := range 500 {
		v.tags = append(v.tags, v.words[13+i*7])
	}
	v.often = rand.NewZipf(r, 1.1, 4, uint64(len(v.words)-1))
	v.oftenTown = rand.NewZipf(r, 1.2, 10, uint64(len(v.towns)-1))
	v.oftenTag = rand.NewZipf(r, 1.2, 5, uint64(len(v.tags)-1))
	return v
}

func (v *vocabulary) text(r *rand.Rand, n int) string {
	words := make([]string, n)
	for i := range words {
		words[i] = v.words[v.often.Uint64()]
	}
	return strings.Join(words, " ")
}

var largeCategories = []string{"coworking", "fablab", "workshop", "amap", "grocery", "garden", "shared-places", "food", "events"}

func (v *vocabulary) entry(r *rand.Rand, i int) directory.Entry {
	town := v.oftenTown.Uint64()
	e := directory.Entry{
		ID:      directory.ID(uuid.NewSHA1(uuid.Nil, fmt.Append(nil, i)).String()),
		Kind:    directory.Kinds[r.IntN(3)],
		Name:    "L'" + v.words[13+r.IntN(40)] + " " + v.words[100+r.IntN(8000)] + " " + v.words[v.often.Uint64()],
		Lang:    "fr",
		Summary: v.text(r, 15), Description: v.text(r, 45),
		Categories: []string{largeCategories[r.IntN(len(largeCategories))]},
		Tags:       []string{v.tags[v.oftenTag.Uint64()], v.tags[v.oftenTag.Uint64()]},
		Sites:      []orb.Point{{v.at[town][0] + r.NormFloat64()*.05, v.at[town][1] + r.NormFloat64()*.05}},
		Address:    &directory.Address{Street: fmt.Sprintf("%d rue %s", r.IntN(200), v.words[r.IntN(3000)]), PostalCode: fmt.Sprintf("%05d", 1000+town*231), Locality: v.towns[town]},
		Status:     directory.Published,
		Updated:    Day.Add(-time.Duration(i) * time.Minute), Created: Day,
	}
	return e
}
