package directory

import (
	"regexp"
	"strings"
)

// Licences lists the SPDX identifiers that an entry or an image may carry, besides "LicenseRef-..." for others.
var Licences = []string{
	"CC0-1.0", "CC-BY-4.0", "CC-BY-3.0", "CC-BY-2.0", "CC-BY-SA-4.0", "CC-BY-SA-3.0", "CC-BY-SA-2.0", "CC-BY-NC-4.0", "CC-BY-NC-SA-4.0",
	"CC-BY-ND-4.0", "CC-BY-NC-ND-4.0", "ODbL-1.0", "ODC-By-1.0", "PDDL-1.0", "etalab-2.0", "etalab-1.0", "OGL-UK-3.0",
	"DL-DE-BY-2.0", "DL-DE-ZERO-2.0", "IODL-2.0", "NLOD-2.0", "GFDL-1.3-or-later",
}

var (
	licenceRef   = regexp.MustCompile(`^LicenseRef-[A-Za-z0-9.-]{1,60}$`)
	licenceNames = map[string]string{
		"licence ouverte": "etalab-2.0", "licence ouverte 2 0": "etalab-2.0", "licence ouverte v2 0": "etalab-2.0", "lov2": "etalab-2.0",
		"open licence 2 0": "etalab-2.0", "etalab": "etalab-2.0", "odbl": "ODbL-1.0", "cc0": "CC0-1.0", "cc by": "CC-BY-4.0", "cc by sa": "CC-BY-SA-4.0",
		"public domain": "CC0-1.0", "domaine public": "CC0-1.0", "etalab 1 0": "etalab-1.0",
	}
)

// CanonicalLicence returns the SPDX identifier for s, whatever its letter case, or for a usual name of a licence; an
// unknown s is returned trimmed, for [Validate] to refuse.
func CanonicalLicence(s string) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return ""
	}
	for _, id := range Licences {
		if strings.EqualFold(id, s) {
			return id
		}
	}
	if id, ok := licenceNames[Fold(s)]; ok {
		return id
	}
	return s
}

// KnownLicence reports whether s is a licence that an entry may carry, by its identifier or a usual name.
func KnownLicence(s string) bool { return validLicence(CanonicalLicence(s)) }

func validLicence(s string) bool {
	for _, id := range Licences {
		if id == s {
			return true
		}
	}
	return licenceRef.MatchString(s)
}

// LicenceURL is where the text of a licence can be read; empty when that is not known here.
func LicenceURL(id string) string {
	switch {
	case id == "" || strings.HasPrefix(id, "LicenseRef-"):
		return ""
	case id == "etalab-2.0":
		return "https://www.etalab.gouv.fr/licence-ouverte-open-licence/"
	}
	return "https://spdx.org/licenses/" + id + ".html"
}

// Notice is what has to stand beside an entry wherever it is handed on, in one line for formats that have no fields for it:
// its source and licence, each with its address, and attribution, the words that the source asks for.
func (e *Entry) Notice(attribution string) string {
	var parts []string
	add := func(name, address string) {
		if name != "" && address != "" {
			name += " (" + address + ")"
		}
		if name != "" {
			parts = append(parts, name)
		}
	}
	if e.Source != nil {
		add(e.Source.Name, e.Source.URL)
	}
	if e.MayBeCopied() {
		add(e.Licence, LicenceURL(e.Licence))
	}
	add(attribution, "")
	return strings.Join(parts, ", ")
}

// LicenceNotStated is the licence of an entry that came of a server which says nothing of licences. It may be shown where it
// came, with its source and a link to it, but it is not ours to hand on.
const LicenceNotStated = "LicenseRef-not-stated"

// MayBeCopied reports whether e may be handed on in files of many entries: everything of ours, and what names its licence.
func (e *Entry) MayBeCopied() bool { return e.Licence != LicenceNotStated }
