package archipelago

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"archipel/api/account"
	"archipel/directory"
	"archipel/federation/islands"
	"archipel/frontend"

	"github.com/gofiber/fiber/v2"
)

// maxRules is how long our conditions may be, in characters.
const maxRules = 4000

func (h *handlers) settings(c *fiber.Ctx) error {
	if err := h.off(c); err != nil {
		return err
	}
	set, err := islands.LoadSettings(c.UserContext(), h.Directory.Store())
	if err != nil {
		return err
	}
	area := ""
	if set.Area != nil {
		b, err := json.Marshal(set.Area)
		if err != nil {
			return err
		}
		area = string(b)
	}
	return h.showSettings(c, set, area, "", nil)
}

// showSettings draws the form. zone is the name of a territory to look for.
func (h *handlers) showSettings(c *fiber.Ctx, set islands.Settings, area, zone string, wrong map[string]string) error {
	p, l := h.page(c, "archipelago.settings")
	v := frontend.IslandsSettingsView{Wrong: wrong, Rules: set.Rules, Area: area, ZoneName: zone, Sought: zone != ""}
	v.Zones = h.zoneOptions(set.Zones, h.zonesNamed(zone, true, l.Lang()), l.Lang())
	for _, id := range slices.Concat(directory.Licences, set.Licences) {
		if !slices.ContainsFunc(v.Licences, func(o frontend.Option) bool { return o.Value == id }) {
			v.Licences = append(v.Licences, frontend.Option{Value: id, Label: id, Selected: slices.Contains(set.Licences, id)})
		}
	}
	if len(wrong) > 0 {
		c.Status(http.StatusBadRequest)
	}
	return h.Render(c, frontend.IslandsSettings(p, v))
}

func (h *handlers) changeSettings(c *fiber.Ctx) error {
	if err := h.off(c); err != nil {
		return err
	}
	l := frontend.T(h.Server.Page(c, "").Lang)
	wrong := map[string]string{}
	add := func(p directory.Problem) {
		field := strings.TrimPrefix(p.Field, "scope.")
		_, wrong[field] = l.ProblemText(frontend.Problem{Field: field, Code: p.Code, Params: p.Params})
	}
	set := islands.Settings{Licences: many(c, "licences"), Zones: many(c, "zones"), Rules: strings.ToValidUTF8(strings.TrimSpace(strings.ReplaceAll(c.FormValue("rules"), "\r\n", "\n")), "")}
	if set.Licences == nil {
		set.Licences = []string{} // none, which is not the same as nothing said
	}
	if n := len([]rune(set.Rules)); n > maxRules {
		add(directory.Problem{Field: "rules", Code: directory.CodeTooLong, Params: map[string]any{"max": maxRules, "got": n}})
	}
	area := strings.TrimSpace(c.FormValue("area"))
	zone := strings.TrimSpace(c.FormValue("zone"))
	var invalid directory.Invalid
	if area != "" {
		shape, err := islands.ParseArea([]byte(area))
		if errors.As(err, &invalid) {
			add(invalid[0])
		} else if err != nil {
			return err
		}
		set.Area = shape
	}
	if c.FormValue("do") == "zone" {
		return h.showSettings(c, set, area, zone, wrong)
	}
	if len(wrong) == 0 {
		err := islands.SaveSettings(c.UserContext(), h.Directory.Store(), set)
		if err == nil {
			h.Log.Info("islands: the settings changed", "author", account.From(c).Author())
			return c.Redirect("/admin/islands?done=settings", http.StatusSeeOther)
		}
		if !errors.As(err, &invalid) {
			return err
		}
		for _, p := range invalid {
			add(p)
		}
	}
	return h.showSettings(c, set, area, "", wrong)
}
