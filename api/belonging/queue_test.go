package belonging_test

import (
	"strings"
	"testing"
	"time"

	"archipel/directory"
)

// TestQueueTellsOfAnOrganisation: moderators read that somebody keeps what is claimed, also when that is an organisation.
func TestQueueTellsOfAnOrganisation(t *testing.T) {
	w := newWorld(t)
	olga, eve, mod := w.member("Olga"), w.member("Eve"), w.member("Mod", "moderator")
	org := w.place("L’Association", ownedBy(olga))
	for name, team := range map[string]directory.ID{"L’Atelier": org.ID, "Le Fournil": ""} {
		e := w.place(name, func(e *directory.Entry) { e.Private = &directory.Private{Team: team} })
		at := "/e/" + e.Slug + "/claim"
		eve.form(at, at, "way", "people", "text", "C’est à moi")
		w.later(8 * 24 * time.Hour) // its people do not answer
		if queue := mod.get("/moderate?show=claim").body; !strings.Contains(queue, e.Name) || strings.Contains(queue, "n’ont pas répondu") != (team != "") {
			t.Errorf("the queue about %s", name)
		}
		mod.form("/moderate?show=claim", "/moderate/claims/"+between(mod.get("/moderate?show=claim").body, `action="/moderate/claims/`, `"`), "decision", "refuse", "reason", "non")
	}
}
