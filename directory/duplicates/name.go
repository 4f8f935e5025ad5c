package duplicates

import (
	"net/url"
	"strings"

	"archipel/directory"
)

// generic are words that tell one entry from another hardly at all, whatever the directory holds: legal forms, articles,
// and what many of its kind are called. They are in the form of [directory.Fold].
var generic = words(`a au aux d de des du en et l la le les of on pour sur the and for un une
	asso association associations assoc collectif groupe groupement comite federation union reseau cooperative coop scop scic sarl sas
	eurl sa ong ngo loi 1901 local locale centre espace maison point lieu site ville village commune mairie`)

// common are words that many entries of a transition directory share: they count, but less than a proper name.
var common = words(`jardin jardins partage partages potager cafe repair atelier ateliers velo velos marche marches bio amap ferme
	epicerie ressourcerie recyclerie tiers fablab bibliotheque ecole festival fete foire rencontre rencontres ecologie transition
	solidaire solidaires citoyen citoyenne citoyens environnement nature energie energies producteurs garden market shop community`)

func words(s string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(s) {
		set[w] = true
	}
	return set
}

// maxTokens is how many words of a name are compared.
const maxTokens = 24

// tokens are the words of a name, folded, each once.
func tokens(name string) []string {
	list := strings.Fields(directory.Fold(name))
	kept := list[:0]
	for _, w := range list {
		if len(w) == 1 && w[0] >= 'a' && w[0] <= 'z' && len(list) > 1 {
			continue // "l'", "d'", initials
		}
		seen := false
		for _, v := range kept {
			seen = seen || v == w
		}
		if !seen {
			kept = append(kept, w)
		}
		if len(kept) == maxTokens {
			break
		}
	}
	return kept
}

// word is a word of names: the index holds each once.
type word struct {
	text   string
	base   float64 // what it tells by itself, of 1
	number bool
	list   []*known // whose names have it; of generic words it is not kept
}

func newWord(text string) *word {
	w := &word{text: text, base: 1, number: strings.Trim(text, "0123456789") == ""}
	switch {
	case generic[text]:
		w.base = 0.1
	case common[text]:
		w.base = 0.5
	}
	return w
}

// weight is how much a word tells. In a large directory, one that is in many names is common too.
func (x *Index) weight(w *word) float64 {
	if w.base < 1 {
		return w.base
	}
	switch share := float64(len(w.list)) / float64(max(len(x.entries), 1000)); {
	case share > 0.02:
		return 0.4
	case share > 0.004:
		return 0.7
	}
	return 1
}

// alike is how much two names have in common, from 0 to 1. Words are compared by spelling, rare ones count most; a
// number that differs tells two entries apart.
func (x *Index) alike(a, b []*word) float64 {
	var total, shared float64
	var taken uint64
	for _, w := range b {
		total += x.weight(w)
	}
	for _, w := range a {
		here := x.weight(w)
		total += here
		best, at := 0.0, -1
		for j, v := range b {
			if taken&(1<<j) != 0 {
				continue
			}
			if s := sameWord(w, v); s > best {
				best, at = s, j
			}
		}
		if at >= 0 {
			taken |= 1 << at
			shared += best * (here + x.weight(b[at]))
		} else if w.number && anyNumber(b) {
			return 0 // "École 1" is not "École 2"
		}
	}
	if total == 0 {
		return 0
	}
	return shared / total
}

func anyNumber(list []*word) bool {
	for _, w := range list {
		if w.number {
			return true
		}
	}
	return false
}

// sameWord is 1 for the same word, somewhat less for a slip of the pen or a plural, 0 for another word.
func sameWord(v, w *word) float64 {
	if v == w {
		return 1
	}
	a, b := v.text, w.text
	if len(a) < 4 || len(b) < 4 || len(a)-len(b) > 2 || len(b)-len(a) > 2 || v.number || w.number {
		if a == b {
			return 1 // one of them is not in the index
		}
		return 0
	}
	if a == b {
		return 1
	}
	if a+"s" == b || b+"s" == a {
		return 0.95
	}
	slips := 1
	if min(len(a), len(b)) >= 8 {
		slips = 2
	}
	if len(a)-len(b) > slips || len(b)-len(a) > slips {
		return 0
	}
	if min(len(a), len(b)) == 4 && a[0] != b[0] {
		return 0 // "vert" is not "pert", though "verre" may be "vere"
	}
	switch d := distance(a, b, slips); {
	case d > slips:
		return 0
	case d == 1:
		return 0.9
	}
	return 0.8
}

// distance is the number of letters inserted, left out, replaced or exchanged with their neighbour (restricted
// Damerau-Levenshtein), or most+1 when it is more.
func distance(a, b string, most int) int {
	if len(a) > 40 || len(b) > 40 {
		return most + 1
	}
	var rows [3][41]int
	before, last, row := &rows[0], &rows[1], &rows[2]
	for j := range len(b) + 1 {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		least := i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d := min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, before[j-2]+1)
			}
			row[j] = d
			least = min(least, d)
		}
		if least > most {
			return most + 1
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// sharedHosts are where many have a page: there the whole path tells who it is, and the host alone nothing.
var sharedHosts = words(`facebook.com instagram.com twitter.com x.com youtube.com linkedin.com helloasso.com linktr.ee wordpress.com
	sites.google.com google.com framasite.org over-blog.com blogspot.com jimdo.com wixsite.com mobilizon.fr`)

// webKey is what two spellings of one address share, or empty when it names nobody.
func webKey(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return ""
	}
	host := strings.TrimPrefix(strings.TrimPrefix(strings.ToLower(u.Hostname()), "www."), "m.")
	path := strings.Trim(strings.ToLower(u.Path), "/")
	for _, front := range []string{"index.html", "index.php", "accueil", "fr", "en", "home"} {
		if path == front {
			path = ""
		}
	}
	if path == "" && sharedHosts[host] {
		return ""
	}
	return host + "/" + path
}

// phoneKey is the last nine digits of a number, which its spellings share, or empty.
func phoneKey(phone string) string {
	digits := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, phone)
	if len(digits) < 8 {
		return ""
	}
	return digits[max(0, len(digits)-9):]
}
