package transfer

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"archipel/directory"
)

// Issue is something that a report says about one row.
type Issue struct {
	Row   int    `json:"row,omitempty"`  // data row or feature, from 1; 0 for the file as a whole
	Line  int    `json:"line,omitempty"` // line of the file on which it begins, from 1; 0 when not known
	Name  string `json:"name,omitempty"` // of the entry, as far as the row gives it
	Field string `json:"field,omitempty"`
	Code  string `json:"code"`            // one of the codes of problems, or of those below
	Value string `json:"value,omitempty"` // an excerpt
	Text  string `json:"text"`            // in English
}

// Codes of issues, besides those of [directory.Problem].
const (
	CodeQuotes      = "quotes"       // a quote is not closed
	CodeRagged      = "ragged"       // not as many fields as the header
	CodeEncoding    = "encoding"     // the bytes are not text in the file's encoding
	CodeNUL         = "nul"          // a NUL byte
	CodeDuplicate   = "duplicate"    // the file has this record already
	CodeSyntax      = "syntax"       // broken JSON
	CodeRemovedHere = "removed_here" // somebody removed the entry in this directory
	CodeMergedHere  = "merged_here"  // somebody merged the entry into another one, which stays as it is
	CodeForeign     = "foreign"      // the entry belongs to another instance
	CodeConflict    = "conflict"     // somebody kept changing the entry meanwhile
	CodeNoPosition  = "no_position"  // neither coordinates nor an address that was found
	CodeNullIsland  = "null_island"  // coordinates 0, 0 were taken as missing
	CodeDropped     = "dropped"      // a value was left out, the row was imported
	CodeAltered     = "altered"      // a value was changed to fit
	CodeKeptLocal   = "kept_local"   // edited here since the source last changed it: stays as it is
	CodeOverwritten = "overwritten"  // edited here, and now changed by the source: the source's value stands
	CodeApproximate = "approximate"  // found at town level only
	CodeReduced     = "reduced"      // a line or an area became its centre
	CodeMojibake    = "mojibake"     // text that was decoded wrongly before it came here
	CodeLocator     = "locator"      // positions could not be looked for
)

// maxIssues is how many issues of each sort a report keeps; it counts all of them.
const maxIssues = 100_000

// Preview is an entry as an import would make it.
type Preview struct {
	Row    int              `json:"row"`
	Result directory.Result `json:"result"`
	Entry  directory.Entry  `json:"entry"`
}

// Report tells what an import did, or with DryRun what it would do.
type Report struct {
	Batch     string `json:"batch,omitempty"`
	Source    string `json:"source,omitempty"`
	DryRun    bool   `json:"dryRun,omitempty"`
	Format    Format `json:"format"`
	Encoding  string `json:"encoding"`
	Separator string `json:"separator,omitempty"`

	Rows      int `json:"rows"` // data rows or features read
	Created   int `json:"created"`
	Updated   int `json:"updated"`
	Unchanged int `json:"unchanged"`
	Failed    int `json:"failed"` // rows left out

	Located     int `json:"located,omitempty"`     // rows whose position was found by their address
	Approximate int `json:"approximate,omitempty"` // of those, found at town level only
	NoPosition  int `json:"noPosition"`            // rows imported without a position

	Columns    []Column       `json:"columns,omitempty"`
	Unmatched  map[string]int `json:"unmatched,omitempty"` // values that name no category, kept as tags, and how often
	LeftOut    []Issue        `json:"leftOut,omitempty"`   // every row that was left out, and why
	Warnings   []Issue        `json:"warnings,omitempty"`
	MoreLeft   int            `json:"moreLeftOut,omitempty"`  // not listed, there are too many
	MoreWarn   int            `json:"moreWarnings,omitempty"` // not listed
	Preview    []Preview      `json:"preview,omitempty"`
	Incomplete string         `json:"incomplete,omitempty"` // why reading ended before the end of the file
	Elapsed    time.Duration  `json:"elapsedNanoseconds"`
}

func (r *Report) leftOut(i Issue) {
	r.Failed++
	if len(r.LeftOut) >= maxIssues {
		r.MoreLeft++
		return
	}
	r.LeftOut = append(r.LeftOut, i)
}

func (r *Report) warn(i Issue) {
	if len(r.Warnings) >= maxIssues {
		r.MoreWarn++
		return
	}
	r.Warnings = append(r.Warnings, i)
}

// Unused returns the columns that filled nothing, in the order of the file.
func (r *Report) Unused() []Column {
	var out []Column
	for _, c := range r.Columns {
		if c.Field == "" {
			out = append(out, c)
		}
	}
	return out
}

// WriteTo prints the report for people. It shows every row left out and every warning.
func (r *Report) WriteTo(w io.Writer) (int64, error) {
	var b strings.Builder
	verb := "Imported"
	if r.DryRun {
		verb = "Would import"
	}
	if r.Format == locating {
		fmt.Fprintf(&b, "Looked for the positions of %d entries in %s\n", r.Rows, r.Elapsed.Round(time.Millisecond))
		fmt.Fprintf(&b, "  found      %7d, %d of them at town level only\n  not found  %7d\n", r.Located, r.Approximate, r.Rows-r.Located)
		printIssues(&b, "Not written", r.LeftOut, r.MoreLeft)
		printIssues(&b, "Warnings", r.Warnings, r.MoreWarn)
		if r.Updated > 0 {
			fmt.Fprintf(&b, "\nThis is batch %s; it can be taken back under that name.\n", r.Batch)
		}
		n, err := io.WriteString(w, b.String())
		return int64(n), err
	}
	fmt.Fprintf(&b, "%s %d rows", verb, r.Rows)
	if r.Source != "" {
		fmt.Fprintf(&b, " of %q", r.Source)
	}
	fmt.Fprintf(&b, " (%s, %s", r.Format, r.Encoding)
	if r.Separator != "" {
		fmt.Fprintf(&b, ", separator %s", r.Separator)
	}
	fmt.Fprintf(&b, ") in %s\n", r.Elapsed.Round(time.Millisecond))
	fmt.Fprintf(&b, "  created    %7d\n  updated    %7d\n  unchanged  %7d\n  left out   %7d\n", r.Created, r.Updated, r.Unchanged, r.Failed)
	if r.Located > 0 {
		fmt.Fprintf(&b, "  located    %7d by their address, %d of them at town level only\n", r.Located, r.Approximate)
	}
	if r.NoPosition > 0 {
		fmt.Fprintf(&b, "  no position%7d\n", r.NoPosition)
	}
	if r.Incomplete != "" {
		fmt.Fprintf(&b, "The file was not read to its end: %s\n", r.Incomplete)
	}
	if len(r.Preview) > 0 {
		b.WriteString("\nThe first entries, as they would be:\n")
		for _, p := range r.Preview {
			p.print(&b)
		}
	}
	used := slices.DeleteFunc(slices.Clone(r.Columns), func(c Column) bool { return c.Field == "" })
	if len(used) > 0 {
		b.WriteString("\nColumns used:\n")
		for _, c := range used {
			fmt.Fprintf(&b, "  %-24s -> %-20s %7d filled\n", excerpt(c.Name), c.Field, c.Filled)
		}
	}
	if unused := r.Unused(); len(unused) > 0 {
		b.WriteString("\nColumns not used:\n")
		for _, c := range unused {
			fmt.Fprintf(&b, "  %-24s %7d filled   %s\n", excerpt(c.Name), c.Filled, c.Reason)
		}
	}
	if len(r.Unmatched) > 0 {
		b.WriteString("\nValues that name no category, kept as tags:\n")
		for _, v := range slices.Sorted(maps.Keys(r.Unmatched)) {
			fmt.Fprintf(&b, "  %7d  %s\n", r.Unmatched[v], v)
		}
	}
	printIssues(&b, "Rows left out", r.LeftOut, r.MoreLeft)
	printIssues(&b, "Warnings", r.Warnings, r.MoreWarn)
	if r.Batch != "" && !r.DryRun && r.Created+r.Updated > 0 {
		fmt.Fprintf(&b, "\nThis import is batch %s; it can be taken back under that name.\n", r.Batch)
	}
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}

func printIssues(b *strings.Builder, title string, issues []Issue, more int) {
	if len(issues) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s (%d):\n", title, len(issues)+more)
	for _, i := range issues {
		fmt.Fprintf(b, "  %s\n", i)
	}
	if more > 0 {
		fmt.Fprintf(b, "  and %d more\n", more)
	}
}

// String gives the issue in one line.
func (i Issue) String() string {
	var b strings.Builder
	if i.Row > 0 {
		fmt.Fprintf(&b, "row %d", i.Row)
	}
	if i.Line > 0 {
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "line %d", i.Line)
	}
	if i.Name != "" {
		fmt.Fprintf(&b, " (%s)", excerpt(i.Name))
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	if i.Field != "" {
		b.WriteString(i.Field + ": ")
	}
	b.WriteString(i.Text)
	if i.Value != "" {
		b.WriteString(": " + strconv.Quote(i.Value))
	}
	return b.String()
}

func (p Preview) print(b *strings.Builder) {
	e := &p.Entry
	fmt.Fprintf(b, "  row %d, %s: %s %q", p.Row, p.Result, e.Kind, e.Name)
	if a := e.Address; a != nil {
		fmt.Fprintf(b, ", %s", strings.Join(slices.DeleteFunc([]string{a.Street, a.PostalCode, a.Locality}, func(s string) bool { return s == "" }), " "))
	}
	if len(e.Sites) > 0 {
		fmt.Fprintf(b, ", longitude %g latitude %g", e.Sites[0][0], e.Sites[0][1])
	} else {
		b.WriteString(", no position")
	}
	if len(e.Categories) > 0 {
		fmt.Fprintf(b, ", categories %s", strings.Join(e.Categories, " "))
	}
	if len(e.Tags) > 0 {
		fmt.Fprintf(b, ", tags %s", strings.Join(e.Tags, ", "))
	}
	if e.Event != nil {
		fmt.Fprintf(b, ", starts %s", e.Event.Start.Format(time.RFC3339))
	}
	b.WriteByte('\n')
}
