package transfer

import (
	"slices"
	"strings"

	"archipel/directory"
)

// target is what a column fills: a field of an entry, or a part of one. The names are those of the CSV export and of
// mapping files; the package documentation lists them.
type target string

// Families of targets: "link." + one of [directory.LinkRels], and so on.
const (
	linkPrefix       = "link."
	identifierPrefix = "identifier."
	accessPrefix     = "accessibility."
	extraPrefix      = "extra."
	notUsed          = target("-") // named in a mapping: known, and not wanted
)

// words lists the names under which people give each target, in folded form without spaces (see headerKey). The first
// of them is the name in our own CSV. Where two columns of a file fill the same single field, the one whose name
// stands earlier here is taken.
var words = map[target]string{
	"id":               "id uuid",
	"sourceId":         "sourceid externalid identifiant idexterne identifier ref reference code uid fid gid objectid idlieu idstructure numero num osmid idosm recordid",
	"kind":             "kind genre nature typeentite entrytype typedefiche",
	"slug":             "slug",
	"name":             "name nom nomtl title titre label libelle raisonsociale denomination intitule denominationsociale nomstructure nomdelastructure nomlieu nomdulieu nomorganisation nomusuel enseigne appellation nomcomplet displayname structure organisme organisation association organization nomevenement",
	"summary":          "summary resume accroche chapo shortdescription descriptioncourte abstract slogan baseline sousTitre enbref",
	"description":      "description presentation texte text contenu content details descriptif longdescription descriptionlongue about apropos objet commentaire",
	"lang":             "lang langue language locale",
	"translations":     "translations traductions",
	"categories":       "categories categorie category type typo typologie types rubrique theme thematique themes thematiques activite activites secteur domaine domaines typelieu typedelieu typestructure typedestructure famille",
	"tags":             "tags motscles motcle keywords keyword etiquettes etiquette tag mots motsclefs hashtags",
	"latitude":         "latitude lat y ylat coordy latwgs84 geolat latitudewgs84 ywgs84 coordonneesy gpslat latitudey",
	"longitude":        "longitude lon lng long x xlon xlong coordx lonwgs84 geolon geolng longitudewgs84 xwgs84 coordonneesx gpslon gpslng longitudex",
	"latlon":           "latlon latlng latitudelongitude latlong geopoint geopoint2d coordonnees coordinates coords coordonneesgps gps position geolocalisation location geo coordonneesgeographiques coord",
	"lonlat":           "lonlat lnglat longitudelatitude longlat xy",
	"geometry":         "geometry geom wkt geojson geoshape thegeom",
	"sites":            "sites",
	"approximate":      "approximate approximatif",
	"zones":            "zones zone territoires territoire",
	"area":             "area perimetre",
	"street":           "street streetaddress rue adresse address adressepostale voie addrstreet adresse1 address1 adresseligne1 libellevoie nomvoie adressecomplete fulladdress lieuadresse addr numeroetvoie",
	"housenumber":      "housenumber numerovoie numerorue addrhousenumber numvoie novoie",
	"postalCode":       "postalcode cp codepostal postcode zip zipcode addrpostcode codpost adressecp codepostallieu",
	"locality":         "locality addresslocality ville commune nomcom city town municipality nomcommune localite addrcity lacommune libellecommune comnom nomville adresseville comname village",
	"region":           "region nomreg addressregion nomregion regnom libelleregion addrstate state regname",
	"country":          "country addresscountry pays addrcountry codepays countrycode",
	"municipalityCode": "municipalitycode inseecom insee codeinsee codecommune inseecommune comcode comcodeinsee codegeo depcom codecommuneinsee communecode",
	"contactName":      "contactname contact nomcontact responsable personnecontact",
	"email":            "email courriel mail mel adressemail adresseemail emailcontact contactemail adresseelectronique courrielcontact mailcontact",
	"phone":            "phone telephone tel contactphone numerotelephone numerodetelephone telephonefixe mobile portable telfixe telcontact",
	"website":          "website siteweb web site url siteinternet www lien link contactwebsite homepage adresseweb lienweb urlsite pageweb weburl internet",
	"links":            "links liens",
	"openingHours":     "openinghours horaires horaire heuresouverture horairesouverture horairesdouverture openinghoursosm hours ouverture",
	"images":           "images image photo photos picture illustration imageurl urlimage urlphoto logo vignette",
	"start":            "start datedebut debut startdate dtstart begin datededebut startat datestart beginson date dateevenement",
	"end":              "end datefin fin enddate dtend datedefin endat dateend endson",
	"startTime":        "starttime heuredebut heurededebut heure horairedebut",
	"endTime":          "endtime heurefin heuredefin horairefin",
	"allDay":           "allday journeeentiere",
	"timezone":         "timezone fuseau fuseauhoraire tz",
	"rrule":            "rrule recurrence",
	"exdates":          "exdates",
	"rdates":           "rdates",
	"overrides":        "overrides",
	"eventStatus":      "eventstatus statutevenement",
	"attendanceUrl":    "attendanceurl lienvisio visio onlineurl",
	"registerUrl":      "registerurl inscription billetterie lieninscription tickets registration reservation urlinscription",
	"price":            "price prix tarif tarifs",
	"languages":        "languages languesparlees",
	"relations":        "relations",
	"licence":          "licence license",
	"sourceName":       "sourcename source origine provenance",
	"sourceUrl":        "sourceurl urlsource",
	"checked":          "checked verifie dateverification checkedat verifiedat",
	"aliases":          "aliases",
	"origin":           "origin",
	"created":          "created",
	"updated":          "updated",
	"version":          "version",
	"extra":            "extra",

	"accessibility":               "accessibility accessibilite",
	"identifiers":                 "identifiers",
	accessPrefix + "wheelchair":   "wheelchair pmr accespmr accessibilitepmr fauteuilroulant handicap",
	accessPrefix + "toilets":      "toiletswheelchair",
	identifierPrefix + "siret":    "siret numerosiret numsiret nsiret codesiret",
	identifierPrefix + "siren":    "siren numerosiren",
	identifierPrefix + "rna":      "rna waldec numerorna idrna",
	identifierPrefix + "osm":      "osm",
	identifierPrefix + "wikidata": "wikidata",
	linkPrefix + "twitter":        "twitter x_twitter comptetwitter urltwitter contacttwitter twitterurl",
	linkPrefix + "facebook":       "facebook fb pagefacebook urlfacebook contactfacebook facebookurl",
	linkPrefix + "instagram":      "instagram insta compteinstagram contactinstagram urlinstagram",
	linkPrefix + "linkedin":       "linkedin urllinkedin contactlinkedin",
	linkPrefix + "youtube":        "youtube chaineyoutube contactyoutube",
	linkPrefix + "mastodon":       "mastodon fediverse contactmastodon",
	linkPrefix + "mobilizon":      "mobilizon",
	linkPrefix + "shop":           "boutique shopurl boutiqueenligne",
	linkPrefix + "donate":         "don dons donate",
	linkPrefix + "newsletter":     "newsletter lettredinformation infolettre",
	linkPrefix + "ical":           "ical ics agenda icalendar",
	linkPrefix + "openstreetmap":  "openstreetmap urlosm",
}

// osmKeys are the OpenStreetMap keys whose "key=value" says what a thing is.
var osmKeys = []string{"amenity", "shop", "office", "craft", "leisure", "tourism", "club", "social_facility", "healthcare",
	"recycling_type", "landuse", "man_made", "historic", "second_hand", "organic", "association"}

// lookup maps a header key to its target and rank.
type lookup struct {
	target target
	rank   int
}

func headerWords() map[string]lookup {
	m := make(map[string]lookup, 512)
	for t, names := range words {
		for rank, name := range strings.Fields(names) {
			key := headerKey(name)
			if old, ok := m[key]; !ok || rank < old.rank {
				m[key] = lookup{t, rank}
			}
		}
	}
	return m
}

// headerKey brings the name of a column to the form in which names are compared.
func headerKey(s string) string { return strings.ReplaceAll(directory.Fold(s), " ", "") }

// multiple reports whether several columns may fill t.
func (t target) multiple() bool {
	switch t {
	case "categories", "tags", "links", "images", "zones":
		return true
	}
	return strings.HasPrefix(string(t), linkPrefix)
}

// valid reports whether a mapping may name t.
func (t target) valid() bool {
	if t == notUsed || words[t] != "" {
		return true
	}
	family, key, ok := strings.Cut(string(t), ".")
	if !ok || key == "" {
		return false
	}
	switch family + "." {
	case linkPrefix:
		return slices.Contains(directory.LinkRels, key)
	case identifierPrefix:
		return slices.Contains(directory.IdentifierKeys, key)
	case accessPrefix:
		return slices.Contains(directory.AccessibilityKeys, key)
	case extraPrefix:
		return true
	}
	return false
}

// Column is a column of the file (or a property of its features) and what became of it.
type Column struct {
	Name   string `json:"name"`
	Field  string `json:"field,omitempty"`  // what it fills; empty when it is not used
	Reason string `json:"reason,omitempty"` // why it is not used
	Filled int    `json:"filled"`           // rows in which it is not empty

	osm string // an OpenStreetMap key: its values may name a category
}

// recogniser says what columns mean.
type recogniser struct {
	known   map[string]lookup
	mapping *Mapping
	idKeys  map[string]bool
	mapped  map[string]target
}

func newRecogniser(m *Mapping) *recogniser {
	r := &recogniser{known: headerWords(), mapping: m, idKeys: map[string]bool{}, mapped: map[string]target{}}
	for _, name := range m.ID {
		r.idKeys[headerKey(name)] = true
	}
	for name, t := range m.Columns {
		r.mapped[headerKey(name)] = target(t)
	}
	return r
}

// column says what a column of that name fills, and how good the name is for it (0 is best).
func (r *recogniser) column(name string) (Column, int) {
	key := headerKey(name)
	c := Column{Name: name}
	if t, ok := r.mapped[key]; ok && key != "" {
		c.Field = string(t)
		if t == notUsed {
			c.Field, c.Reason = "", "left out by the mapping"
		}
		return c, -1
	}
	if r.mapping.Only {
		c.Reason = "not in the mapping"
		return c, 0
	}
	if strings.HasPrefix(name, extraPrefix) {
		c.Field = name
		return c, 0
	}
	if t := target(name); strings.Contains(name, ".") && t.valid() {
		c.Field = name
		return c, 0
	}
	if slices.Contains(osmKeys, strings.ToLower(strings.TrimSpace(name))) {
		c.osm = strings.ToLower(strings.TrimSpace(name))
	}
	if found, ok := r.known[key]; ok && key != "" {
		c.Field = string(found.target)
		return c, found.rank
	}
	if r.idKeys[key] { // only says which record it is
		c.Field = "sourceId"
		return c, 0
	}
	if c.osm == "" {
		c.Reason = "not recognised"
	} else {
		c.Field = "categories"
	}
	return c, 0
}

// columns says what every column of a header fills. Of several columns for one single field the best name wins.
func (r *recogniser) columns(header []string) []Column {
	out := make([]Column, len(header))
	ranks := make([]int, len(header))
	best := map[string]int{}
	seen := map[string]bool{}
	for i, name := range header {
		out[i], ranks[i] = r.column(name)
		if seen[name] && name != "" {
			out[i].Field, out[i].Reason = "", "a column of this name comes before"
			continue
		}
		seen[name] = true
		if name == "" {
			out[i].Field, out[i].Reason = "", "has no name"
			continue
		}
		f := out[i].Field
		if f == "" || target(f).multiple() {
			continue
		}
		j, taken := best[f]
		switch {
		case !taken:
			best[f] = i
		case ranks[i] < ranks[j]:
			out[j].Field, out[j].Reason = "", f+" is taken from "+name
			best[f] = i
		default:
			out[i].Field, out[i].Reason = "", f+" is taken from "+header[j]
		}
	}
	if _, kinds := best["kind"]; !kinds && r.mapping.Kind != "" && r.mapping.Kind != string(directory.Event) {
		for i := range out {
			if slices.Contains(eventFields, out[i].Field) && ranks[i] >= 0 {
				out[i].Field, out[i].Reason = "", "only events have it"
			}
		}
	}
	return out
}

// eventFields are the fields that only events have. A list of places may well have a column "date".
var eventFields = []string{"start", "end", "startTime", "endTime", "allDay", "timezone", "rrule", "exdates", "rdates", "overrides", "eventStatus",
	"attendanceUrl", "registerUrl", "price", "languages"}
