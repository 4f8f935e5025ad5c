package main

import "fmt"

// exonyms are the French names of towns that go by another one in GeoNames, which knows
// no language of its alternative names. By country code and name; a key that names no
// town is an error, so that a slip of the pen is noticed.
var exonyms = map[string]string{
	"AE Abu Dhabi": "Abou Dabi", "AE Dubai": "Dubaï", "AF Kabul": "Kaboul", "AM Yerevan": "Erevan",
	"AT Vienna": "Vienne", "AT Salzburg": "Salzbourg", "AZ Baku": "Bakou",
	"BD Dhaka": "Dacca", "BE Brussels": "Bruxelles", "BE Antwerpen": "Anvers",
	"BE Gent": "Gand", "BE Brugge": "Bruges", "BE Leuven": "Louvain", "BE Mechelen": "Malines",
	"BE Kortrijk": "Courtrai", "BE Ostend": "Ostende",
	"CH Bern": "Berne", "CH Basel": "Bâle", "CH Zürich": "Zurich", "CH Luzern": "Lucerne",
	"CH Sankt Gallen": "Saint-Gall", "CH Solothurn": "Soleure", "CH Schaffhausen": "Schaffhouse",
	"CH Sitten": "Sion", "CH Chur": "Coire", "CN Beijing": "Pékin", "CN Guangzhou": "Canton", "CU Havana": "La Havane",
	"CY Nicosia": "Nicosie", "DE Köln": "Cologne",
	"DE Frankfurt am Main": "Francfort", "DE Hamburg": "Hambourg", "DE Hannover": "Hanovre",
	"DE Bremen": "Brême", "DE Dresden": "Dresde", "DE Nürnberg": "Nuremberg", "DE Aachen": "Aix-la-Chapelle",
	"DE Freiburg": "Fribourg-en-Brisgau", "DE Mainz": "Mayence", "DE Trier": "Trèves", "DE Saarbrücken": "Sarrebruck",
	"DE Koblenz": "Coblence", "DE Augsburg": "Augsbourg", "DE Regensburg": "Ratisbonne", "DE Konstanz": "Constance",
	"DK Copenhagen": "Copenhague", "DZ Algiers": "Alger", "EG Cairo": "Le Caire", "EG Alexandria": "Alexandrie",
	"ES Barcelona": "Barcelone", "ES Sevilla": "Séville", "ES Zaragoza": "Saragosse", "ES Valencia": "Valence",
	"ES Málaga": "Malaga", "ES Córdoba": "Cordoue", "ES Granada": "Grenade", "ES Cadiz": "Cadix",
	"ES Pamplona": "Pampelune", "ES A Coruña": "La Corogne", "ES Tarragona": "Tarragone", "ES Girona": "Gérone",
	"ES Donostia / San Sebastián": "Saint-Sébastien", "ES Murcia": "Murcie",
	"ET Addis Ababa": "Addis-Abeba", "GB London": "Londres", "GB Edinburgh": "Édimbourg", "GB Dover": "Douvres",
	"GB Canterbury": "Cantorbéry", "GE Tbilisi": "Tbilissi", "GR Athens": "Athènes",
	"GR Thessaloníki": "Thessalonique",
	"IQ Baghdad":      "Bagdad", "IR Tehran": "Téhéran",
	"IT Genoa": "Gênes", "IT Venice": "Venise",
	"IT Bologna": "Bologne", "IT Palermo": "Palerme", "IT Verona": "Vérone", "IT Padova": "Padoue",
	"IT Parma": "Parme", "IT Modena": "Modène", "IT Pisa": "Pise", "IT Livorno": "Livourne", "IT Ravenna": "Ravenne",
	"IT Bergamo": "Bergame", "IT Mantova": "Mantoue", "IT Piacenza": "Plaisance", "IT Perugia": "Pérouse",
	"IT Siracusa": "Syracuse", "IT Catania": "Catane", "IT Cuneo": "Coni", "IT Aosta": "Aoste",
	"IT Ventimiglia": "Vintimille", "IT Ancona": "Ancône",
	"LB Beirut":    "Beyrouth",
	"MA Marrakesh": "Marrakech", "MA Tangier": "Tanger",
	"MU Port Louis": "Port-Louis", "MX Mexico City": "Mexico", "NL The Hague": "La Haye",
	"NL Groningen": "Groningue", "NP Kathmandu": "Katmandou",
	"PH Manila": "Manille", "PL Warsaw": "Varsovie", "PL Kraków": "Cracovie", "PT Lisbon": "Lisbonne",
	"RO Bucharest": "Bucarest", "RU Moscow": "Moscou",
	"RU Saint Petersburg": "Saint-Pétersbourg", "SA Riyadh": "Riyad", "SA Mecca": "La Mecque",
	"SG Singapore": "Singapour",
	"SO Mogadishu": "Mogadiscio", "SY Damascus": "Damas", "SY Aleppo": "Alep",
	"UZ Tashkent": "Tachkent", "VN Hanoi": "Hanoï",
	"AD Andorra la Vella": "Andorre-la-Vieille", "JE Saint Helier": "Saint-Hélier",
	"RO Timişoara": "Timisoara",
}

// nameInFrench gives towns their exonyms: each to the largest town of that name.
func nameInFrench(towns []town) error {
	largest := map[string]int{}
	for i, t := range towns {
		key := t.country + " " + t.name
		if exonyms[key] == "" {
			continue
		}
		if j, ok := largest[key]; !ok || towns[j].population < t.population {
			largest[key] = i
		}
	}
	for key, name := range exonyms {
		i, ok := largest[key]
		if !ok {
			return fmt.Errorf("no town for the exonym of %q", key)
		}
		towns[i].french = name
	}
	return nil
}
