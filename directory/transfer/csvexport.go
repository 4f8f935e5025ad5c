package transfer

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/paulmach/orb"

	"archipel/directory"
)

// csvColumns are the columns of a CSV export, in order. An import understands all of them but "page", "licenceUrl", "attribution" and those about the origin,
// and takes "origin"
// for the source of an entry that names none: an entry that is imported belongs to where it is imported.
var csvColumns = []struct {
	name string
	get  func(*directory.Entry) string
}{
	{"id", func(e *entry) string { return string(e.ID) }},
	{"kind", func(e *entry) string { return string(e.Kind) }},
	{"slug", func(e *entry) string { return e.Slug }},
	{"name", func(e *entry) string { return e.Name }},
	{"summary", func(e *entry) string { return e.Summary }},
	{"description", func(e *entry) string { return e.Description }},
	{"lang", func(e *entry) string { return e.Lang }},
	{"categories", func(e *entry) string { return join(e.Categories) }},
	{"tags", func(e *entry) string { return join(e.Tags) }},
	{"longitude", func(e *entry) string { return coordinate(e, 0) }},
	{"latitude", func(e *entry) string { return coordinate(e, 1) }},
	{"sites", func(e *entry) string {
		if len(e.Sites) < 2 {
			return ""
		}
		return jsonCell([]orb.Point(e.Sites[1:]))
	}},
	{"approximate", func(e *entry) string { return yes(e.Approximate) }},
	{"zones", func(e *entry) string {
		if e.Area == nil {
			return ""
		}
		return join(e.Area.Zones)
	}},
	{"area", func(e *entry) string {
		if e.Area == nil || e.Area.Shape == nil {
			return ""
		}
		return jsonCell(e.Area.Shape)
	}},
	{"street", address(func(a *directory.Address) string { return a.Street })},
	{"postalCode", address(func(a *directory.Address) string { return a.PostalCode })},
	{"locality", address(func(a *directory.Address) string { return a.Locality })},
	{"region", address(func(a *directory.Address) string { return a.Region })},
	{"country", address(func(a *directory.Address) string { return a.Country })},
	{"municipalityCode", address(func(a *directory.Address) string { return a.Code })},
	{"contactName", contact(func(c *directory.Contact) string { return c.Name })},
	{"email", contact(func(c *directory.Contact) string { return c.Email })},
	{"phone", contact(func(c *directory.Contact) string { return c.Phone })},
	{"website", contact(func(c *directory.Contact) string { return c.Website })},
	{"links", func(e *entry) string { return jsonCell(e.Links) }},
	{"openingHours", func(e *entry) string { return e.OpeningHours }},
	{"images", func(e *entry) string { return jsonCell(e.Images) }},
	{"accessibility", func(e *entry) string { return jsonCell(e.Accessibility) }},
	{"identifiers", func(e *entry) string { return jsonCell(e.Identifiers) }},
	{"start", schedule(func(v *directory.Schedule) string { return timeCell(v.Start) })},
	{"end", schedule(func(v *directory.Schedule) string { return timeCell(v.End) })},
	{"allDay", schedule(func(v *directory.Schedule) string { return yes(v.AllDay) })},
	{"timezone", schedule(func(v *directory.Schedule) string { return v.Timezone })},
	{"rrule", schedule(func(v *directory.Schedule) string { return v.RRule })},
	{"exdates", schedule(func(v *directory.Schedule) string { return timesCell(v.ExDates) })},
	{"rdates", schedule(func(v *directory.Schedule) string { return timesCell(v.RDates) })},
	{"overrides", schedule(func(v *directory.Schedule) string { return jsonCell(v.Overrides) })},
	{"eventStatus", schedule(func(v *directory.Schedule) string { return string(v.State) })},
	{"attendanceUrl", schedule(func(v *directory.Schedule) string { return v.AttendanceURL })},
	{"registerUrl", schedule(func(v *directory.Schedule) string { return v.RegisterURL })},
	{"price", schedule(func(v *directory.Schedule) string { return v.Price })},
	{"languages", schedule(func(v *directory.Schedule) string { return join(v.Languages) })},
	{"relations", func(e *entry) string { return jsonCell(e.Relations) }},
	{"translations", func(e *entry) string { return jsonCell(e.Translations) }},
	{"extra", func(e *entry) string { return jsonCell(e.Extra) }},
	{"licence", func(e *entry) string { return e.Licence }},
	{"sourceName", origin(func(s *directory.Source) string { return s.Name })},
	{"sourceUrl", origin(func(s *directory.Source) string { return s.URL })},
	{"sourceId", origin(func(s *directory.Source) string { return s.ExternalID })},
	{"checked", func(e *entry) string { return timeCell(e.Checked) }},
	{"created", func(e *entry) string { return timeCell(e.Created) }},
	{"updated", func(e *entry) string { return timeCell(e.Updated) }},
	{"version", func(e *entry) string { return strconv.FormatInt(int64(e.Version), 10) }},
	{"aliases", func(e *entry) string { return join(e.Aliases) }},
	{"origin", func(e *entry) string { return e.Origin }},
}

type csvWriter struct {
	w     *csv.Writer
	o     ExportOptions
	below io.Writer
	begun bool
	row   []string
}

// NewCSV writes entries as CSV (RFC 4180) in UTF-8, one a line below a header; the package documentation lists the
// columns. Cells that a spreadsheet would run as formulas are preceded by an apostrophe, which an import takes away.
func NewCSV(w io.Writer, o ExportOptions) Writer {
	c := &csvWriter{w: csv.NewWriter(w), o: o, below: w}
	if o.Separator != 0 {
		c.w.Comma = o.Separator
	}
	return c
}

func (c *csvWriter) begin() error {
	if c.begun {
		return nil
	}
	c.begun = true
	if c.o.BOM {
		if _, err := io.WriteString(c.below, "\ufeff"); err != nil {
			return err
		}
	}
	header := make([]string, 0, len(csvColumns)+1)
	for _, col := range csvColumns {
		header = append(header, col.name)
	}
	if c.o.Page != nil {
		header = append(header, "page")
	}
	header = append(header, "licenceUrl")
	if c.o.Attribution != nil {
		header = append(header, "attribution")
	}
	if c.o.Origin != nil {
		header = append(header, "originName", "originUrl")
	}
	return c.w.Write(header)
}

func (c *csvWriter) Write(e *directory.Entry) error {
	if err := c.begin(); err != nil {
		return err
	}
	c.row = c.row[:0]
	for _, col := range csvColumns {
		c.row = append(c.row, guard(col.get(e)))
	}
	if c.o.Page != nil {
		c.row = append(c.row, guard(c.o.Page(e)))
	}
	c.row = append(c.row, directory.LicenceURL(e.Licence))
	if c.o.Attribution != nil {
		c.row = append(c.row, guard(c.o.attribution(e)))
	}
	if c.o.Origin != nil {
		name, page := "", ""
		if e.Origin != "" {
			name, page = c.o.Origin(e)
		}
		c.row = append(c.row, guard(name), guard(page))
	}
	return c.w.Write(c.row)
}

func (c *csvWriter) Close() error {
	if err := c.begin(); err != nil {
		return err
	}
	c.w.Flush()
	return c.w.Error()
}

func address(get func(*directory.Address) string) func(*entry) string {
	return func(e *entry) string {
		if e.Address == nil {
			return ""
		}
		return get(e.Address)
	}
}

func contact(get func(*directory.Contact) string) func(*entry) string {
	return func(e *entry) string {
		if e.Contact == nil {
			return ""
		}
		return get(e.Contact)
	}
}

func origin(get func(*directory.Source) string) func(*entry) string {
	return func(e *entry) string {
		if e.Source == nil {
			return ""
		}
		return get(e.Source)
	}
}

func schedule(get func(*directory.Schedule) string) func(*entry) string {
	return func(e *entry) string {
		if e.Event == nil {
			return ""
		}
		return get(e.Event)
	}
}

func coordinate(e *entry, axis int) string {
	if len(e.Sites) == 0 {
		return ""
	}
	return strconv.FormatFloat(e.Sites[0][axis], 'f', -1, 64)
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

func timeCell(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339Nano)
}

func timesCell(list []time.Time) string {
	out := make([]string, len(list))
	for i, t := range list {
		out[i] = timeCell(t)
	}
	return strings.Join(out, "; ")
}

// jsonCell is empty for an empty list or map.
func jsonCell(v any) string {
	b, err := json.Marshal(v)
	if err != nil || string(b) == "null" || string(b) == "[]" || string(b) == "{}" {
		return ""
	}
	return string(b)
}

// join writes a list as people read it, or as JSON when an element would not survive that.
func join(list []string) string {
	for _, s := range list {
		if strings.ContainsAny(s, ",;|\n") || strings.HasPrefix(s, "[") || missing(s) || strings.TrimSpace(s) != s {
			return jsonCell(list)
		}
	}
	return strings.Join(list, "; ")
}
