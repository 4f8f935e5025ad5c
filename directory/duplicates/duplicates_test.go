package duplicates

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"archipel/directory"

	"github.com/paulmach/orb"
)

func entry(name, town string, lon, lat float64, more ...func(*directory.Entry)) directory.Entry {
	e := directory.Entry{ID: directory.NewID(), Kind: directory.Organisation, Name: name, Status: directory.Published}
	if town != "" {
		e.Address = &directory.Address{Locality: town}
	}
	if lon != 0 {
		e.Sites = []orb.Point{{lon, lat}}
	}
	for _, f := range more {
		f(&e)
	}
	return e
}

func phone(s string) func(*directory.Entry) {
	return func(e *directory.Entry) { contact(e).Phone = s }
}
func mail(s string) func(*directory.Entry) {
	return func(e *directory.Entry) { contact(e).Email = s }
}
func web(s string) func(*directory.Entry) {
	return func(e *directory.Entry) { contact(e).Website = s }
}
func contact(e *directory.Entry) *directory.Contact {
	if e.Contact == nil {
		e.Contact = &directory.Contact{}
	}
	return e.Contact
}
func official(kind, s string) func(*directory.Entry) {
	return func(e *directory.Entry) { e.Identifiers = map[string]string{kind: s} }
}
func rough(e *directory.Entry)   { e.Approximate = true }
func pending(e *directory.Entry) { e.Status = directory.Pending }
func on(day int) func(*directory.Entry) {
	return func(e *directory.Entry) {
		e.Kind, e.Event = directory.Event, &directory.Schedule{Start: time.Date(2027, 3, day, 18, 0, 0, 0, time.UTC)}
	}
}

// cases are pairs of invented entries: the one that is there, the one that is added, and whether they are the same.
var cases = []struct {
	name      string
	have, add directory.Entry
	same      bool
	reason    Reason
}{
	{"the same name at the same door", entry("La Fourmilière", "Saint-Étienne", 4.39, 45.44), entry("La Fourmilière", "Saint-Étienne", 4.39, 45.44), true, SameName},
	{"without accents, with its legal form", entry("La Fourmilière", "Saint-Étienne", 4.39, 45.44), entry("Association LA FOURMILIERE", "St Etienne", 4.391, 45.441), true, SameName},
	{"a slip of the pen", entry("Ressourcerie du Furan", "", 4.39, 45.44), entry("Resourcerie du Furran", "", 4.3905, 45.4402), true, SameName},
	{"a plural and an article", entry("Les Jardins de Volpette", "", 4.39, 45.44), entry("Jardin de Volpette", "", 4.392, 45.441), true, SameName},
	{"other words in between", entry("Vélocité Gier", "", 4.51, 45.47), entry("Vélocité du Pays du Gier", "", 4.512, 45.471), true, SameName},
	{"at the town only", entry("La Bicyclette Verte", "Roanne", 4.07, 46.03, rough), entry("Bicyclette verte", "Roanne", 4.09, 46.05), true, SameName},
	{"no fixed place, either", entry("Collectif Eau Publique Forez", "", 0, 0), entry("Collectif eau publique Forez", "", 0, 0), true, SameName},
	{"waiting for moderation", entry("Café des Possibles", "Lyon", 4.84, 45.76, pending), entry("Le café des possibles", "Lyon", 4.84, 45.76), true, SameName},
	{"the same phone, written otherwise", entry("Épicerie Les Halles", "", 4.39, 45.44, phone("04 77 12 34 56")), entry("Halle paysanne", "", 4.395, 45.441, phone("+33 (0)4.77.12.34.56")), true, SamePhone},
	{"the same mail", entry("AMAP des Terreaux", "", 4.83, 45.76, mail("contact@amap.example")), entry("Terreaux paysans", "", 4.83, 45.765, mail("Contact@AMAP.example")), true, SameMail},
	{"the same site", entry("Fablab Crêt de Roc", "", 4.39, 45.44, web("https://www.cretlab.example/")), entry("CrêtLab", "", 4.39, 45.44, web("http://cretlab.example/index.html")), true, SameWebsite},
	{"the same company number, moved away", entry("Scop Bois Vif", "", 4.39, 45.44, official("siret", "123 456 789 00012")), entry("Menuiserie coopérative", "", 2.35, 48.85, official("siret", "12345678900012")), true, SameRegister},
	{"the same object of OpenStreetMap", entry("Boîte à livres", "", 4.39, 45.44, official("osm", "node/42")), entry("Cabane à lire", "", 4.39, 45.44, official("osm", "node/42")), true, SameRegister},
	{"one date of one event", entry("Fête des possibles", "", 4.39, 45.44, on(12)), entry("Fête des possibles", "", 4.39, 45.44, on(12)), true, SameName},

	{"two gardens of one street", entry("Jardin partagé des Lilas", "", 4.39, 45.44), entry("Jardin partagé du Parc", "", 4.3915, 45.4405), false, ""},
	{"numbered schools", entry("École de la transition 1", "", 4.39, 45.44), entry("École de la transition 2", "", 4.39, 45.4401), false, ""},
	{"one name, two towns", entry("Repair Café", "Saint-Étienne", 4.39, 45.44), entry("Repair Café", "Saint-Chamond", 4.51, 45.47), false, ""},
	{"one name, two districts far apart", entry("Le Relais", "Lyon", 4.84, 45.76), entry("Le Relais", "Lyon", 4.88, 45.74), false, ""},
	{"nothing but a legal form in common", entry("Association Mille Feuilles", "", 4.39, 45.44), entry("Association Terre Battue", "", 4.39, 45.44), false, ""},
	{"a kind in common", entry("Ressourcerie du Furan", "", 4.39, 45.44), entry("Ressourcerie Bellevue", "", 4.395, 45.44), false, ""},
	{"another date of an event", entry("Fête des possibles", "", 4.39, 45.44, on(12)), entry("Fête des possibles", "", 4.39, 45.44, on(26)), false, ""},
	{"an event and its host", entry("La Fourmilière en fête", "", 4.39, 45.44, on(12)), entry("La Fourmilière en fête", "", 4.39, 45.44), false, ""},
	{"pages on one host", entry("Cyclo Forez", "", 4.39, 45.44, web("https://www.facebook.com/cycloforez")), entry("Ruche du Pilat", "", 4.391, 45.44, web("https://facebook.com/rucheduplat")), false, ""},
	{"short words that look alike", entry("Le Vert", "", 4.39, 45.44), entry("Le Pert", "", 4.39, 45.44), false, ""},
	{"numbers of no length", entry("Halte vélo", "", 4.39, 45.44, phone("3960")), entry("Maison du temps", "", 4.39, 45.44, phone("3960")), false, ""},
}

func TestPairs(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var x Index
			x.Apply([]directory.Entry{c.have})
			directory.Normalize(&c.add)
			got := x.Find(&c.add, 5)
			if !c.same {
				if len(got) > 0 {
					t.Errorf("%q and %q are taken for one: %+v", c.have.Name, c.add.Name, got[0])
				}
				return
			}
			if len(got) != 1 || got[0].ID != c.have.ID {
				t.Fatalf("%q was not found for %q: alike %.2f", c.have.Name, c.add.Name, x.alike(x.learn(&c.add).words, x.learn(&c.have).words))
			}
			found := false
			for _, r := range got[0].Reasons {
				found = found || r == c.reason
			}
			if !found {
				t.Errorf("reasons %v, want %s", got[0].Reasons, c.reason)
			}
		})
	}
}

func TestNetworkSharesItsNumber(t *testing.T) {
	var x Index
	for i := range crowd + 4 {
		x.Apply([]directory.Entry{entry(fmt.Sprintf("Antenne de %c%c", 'A'+i, 'a'+i), "", 1+float64(i), 45, web("https://reseau.example"))})
	}
	mine := entry("Verger de Planfoy", "", 20, 45, web("https://reseau.example"))
	if got := x.Find(&mine, 5); len(got) > 0 {
		t.Errorf("members of a network are taken for one: %+v", got)
	}
}

func TestFollowsChanges(t *testing.T) {
	var x Index
	e := entry("La Fourmilière", "", 4.39, 45.44, phone("0477123456"))
	again := entry("La Fourmilière", "", 4.39, 45.44)
	x.Apply([]directory.Entry{e})
	if got := x.Find(&e, 5); len(got) > 0 {
		t.Errorf("an entry is its own duplicate: %+v", got)
	}
	e.Name, e.Sites = "Le Nichoir", []orb.Point{{1, 44}}
	x.Apply([]directory.Entry{e})
	if got := x.Find(&again, 5); len(got) > 0 {
		t.Errorf("the former name is still known: %+v", got)
	}
	e.Status = directory.Removed
	x.Apply([]directory.Entry{e})
	if len(x.entries)+len(x.byCell)+len(x.byKey)+len(x.words) > 0 {
		t.Errorf("something is left of what was removed: %d %d %d %d", len(x.entries), len(x.byCell), len(x.byKey), len(x.words))
	}
}

func TestOddInput(t *testing.T) {
	var x Index
	x.Apply([]directory.Entry{entry("", "", 180, 90), entry("🌳🌳", "", -180, -90), entry("日本", "", 0.1, 0.1)})
	for _, e := range []directory.Entry{{}, entry("", "", 180, 90), entry("日本", "", 0.1, 0.1), entry("🌳", "", -180, -89.999)} {
		x.Find(&e, 5)
	}
	other := entry("日本", "", 0.1, 0.1)
	if got := x.Find(&other, 5); len(got) != 1 {
		t.Errorf("other scripts: %v", got)
	}
}

// crowded fills an index with n invented entries, a good part of them in one town.
func crowded(n int) *Index {
	r := rand.New(rand.NewPCG(1, 2))
	syllables := []string{"ba", "ri", "tou", "ver", "mon", "lac", "fi", "gre", "cha", "pel", "nou", "sol", "dre", "vi", "eau"}
	word := func() string {
		s := ""
		for range 2 + r.IntN(3) {
			s += syllables[r.IntN(len(syllables))]
		}
		return s
	}
	kinds := []string{"Jardin partagé", "Association", "Ressourcerie", "Épicerie", "AMAP", "Atelier vélo", "Café associatif"}
	var x Index
	list := make([]directory.Entry, n)
	for i := range list {
		lon, lat := -4+r.Float64()*11, 43+r.Float64()*7
		if i%10 == 0 {
			lon, lat = 2.35+r.NormFloat64()*0.03, 48.85+r.NormFloat64()*0.02
		}
		list[i] = entry(kinds[r.IntN(len(kinds))]+" "+word()+" "+word(), word(), lon, lat, phone(fmt.Sprintf("04%08d", r.IntN(1e8))))
	}
	x.Apply(list)
	return &x
}

func BenchmarkFind(b *testing.B) {
	x := crowded(100_000)
	e := entry("Association du Jardin partagé des Lilas", "Paris", 2.35, 48.85, phone("0477123456"))
	for b.Loop() {
		x.Find(&e, 5)
	}
}
