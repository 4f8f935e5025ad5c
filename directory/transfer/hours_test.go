package transfer

import "testing"

// Hours that people wrote for people are kept as a comment, and told.
func TestHoursForPeople(t *testing.T) {
	d := newDirectory(t)
	const file = "nom;horaires\nA;Mo-Fr 09:00-18:00\nB;\"du lundi au vendredi, 9h à 18h (\"\"sauf août\"\")\"\nC;easter off\nD;\n"
	r := mustImport(t, d, file, ImportOptions{})
	counts(t, r, 4, 0, 0, 0)
	e := all(t, d)
	for name, want := range map[string]string{"A": "Mo-Fr 09:00-18:00", "B": `"du lundi au vendredi, 9h à 18h ('sauf août')"`, "C": `"easter off"`, "D": ""} {
		if got := e[name].OpeningHours; got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	if len(r.Warnings) != 2 || !has(r.Warnings, CodeAltered, "openingHours") {
		t.Errorf("got %v", r.Warnings)
	}
	r = mustImport(t, d, file, ImportOptions{})
	if r.Updated != 0 {
		t.Errorf("the same file again changes %d", r.Updated)
	}
}
