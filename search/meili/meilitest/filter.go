package meilitest

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// condition tests a document.
type condition func(raw map[string]any) bool

// parser reads filter expressions.
type parser struct {
	tokens []string
	at     int
	index  *index
}

var filterToken = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|!=|>=|<=|[=<>()\[\],]|[^\s=<>()\[\],!"']+`)

// parseFilter reads a string, or an array whose parts all count and whose nested arrays need one part.
func (x *index) parseFilter(f any) (condition, *Error) {
	switch f := f.(type) {
	case nil:
		return func(map[string]any) bool { return true }, nil
	case string:
		if strings.TrimSpace(f) == "" {
			return func(map[string]any) bool { return true }, nil
		}
		if rest := strings.TrimSpace(filterToken.ReplaceAllString(f, "")); rest != "" {
			return nil, invalid("invalid_search_filter", "Found unexpected characters at the end of the filter: `%s`.", rest)
		}
		p := &parser{tokens: filterToken.FindAllString(f, -1), index: x}
		c, err := p.or()
		if err == nil && p.at < len(p.tokens) {
			err = fmt.Errorf("found unexpected characters at the end of the filter: `%s`", p.tokens[p.at])
		}
		if err != nil {
			return nil, invalid("invalid_search_filter", "%v", err)
		}
		return c, nil
	case []any:
		var all []condition
		for _, part := range f {
			if alternatives, ok := part.([]any); ok {
				var some []condition
				for _, a := range alternatives {
					c, e := x.parseFilter(a)
					if e != nil {
						return nil, e
					}
					some = append(some, c)
				}
				all = append(all, func(raw map[string]any) bool {
					for _, c := range some {
						if c(raw) {
							return true
						}
					}
					return false
				})
				continue
			}
			c, e := x.parseFilter(part)
			if e != nil {
				return nil, e
			}
			all = append(all, c)
		}
		return func(raw map[string]any) bool {
			for _, c := range all {
				if !c(raw) {
					return false
				}
			}
			return true
		}, nil
	}
	return nil, invalid("invalid_search_filter", "Invalid syntax for the filter parameter: expected String, Array.")
}

func (p *parser) peek() string {
	if p.at < len(p.tokens) {
		return p.tokens[p.at]
	}
	return ""
}

func (p *parser) next() string {
	t := p.peek()
	p.at++
	return t
}

func (p *parser) want(t string) error {
	if got := p.next(); got != t {
		return fmt.Errorf("expected `%s`, found `%s`", t, got)
	}
	return nil
}

func (p *parser) or() (condition, error) {
	c, err := p.and()
	for err == nil && p.peek() == "OR" {
		p.next()
		a := c
		var b condition
		if b, err = p.and(); err == nil {
			c = func(raw map[string]any) bool { return a(raw) || b(raw) }
		}
	}
	return c, err
}

func (p *parser) and() (condition, error) {
	c, err := p.not()
	for err == nil && p.peek() == "AND" {
		p.next()
		a := c
		var b condition
		if b, err = p.not(); err == nil {
			c = func(raw map[string]any) bool { return a(raw) && b(raw) }
		}
	}
	return c, err
}

func (p *parser) not() (condition, error) {
	switch p.peek() {
	case "NOT":
		p.next()
		c, err := p.not()
		return func(raw map[string]any) bool { return !c(raw) }, err
	case "(":
		p.next()
		c, err := p.or()
		if err != nil {
			return nil, err
		}
		return c, p.want(")")
	}
	return p.condition()
}

func (p *parser) condition() (condition, error) {
	name := unquote(p.next())
	switch name {
	case "":
		return nil, fmt.Errorf("was expecting an operation but found nothing")
	case "_geoRadius":
		n, err := p.numbers("(", ")")
		if err != nil || len(n) < 3 {
			return nil, fmt.Errorf("the `_geoRadius` filter expects three arguments: `_geoRadius(latitude, longitude, radius)`")
		}
		if err := p.geo(n[0], n[1]); err != nil {
			return nil, err
		}
		return func(raw map[string]any) bool {
			lat, lng, ok := position(raw)
			return ok && meters(lat, lng, n[0], n[1]) <= n[2]
		}, nil
	case "_geoBoundingBox":
		if err := p.want("("); err != nil {
			return nil, err
		}
		a, err := p.numbers("[", "]")
		if err != nil {
			return nil, err
		}
		if err := p.want(","); err != nil {
			return nil, err
		}
		b, err := p.numbers("[", "]")
		if err != nil {
			return nil, err
		}
		if err := p.want(")"); err != nil {
			return nil, err
		}
		if len(a) != 2 || len(b) != 2 {
			return nil, fmt.Errorf("the `_geoBoundingBox` filter expects two pairs of arguments: `_geoBoundingBox([latitude, longitude], [latitude, longitude])`")
		}
		if err := p.geo(a[0], a[1]); err != nil {
			return nil, err
		}
		if err := p.geo(b[0], b[1]); err != nil {
			return nil, err
		}
		if a[0] < b[0] {
			return nil, fmt.Errorf("the top latitude `%v` is below the bottom latitude `%v`", a[0], b[0])
		}
		top, right, bottom, left := a[0], a[1], b[0], b[1]
		return func(raw map[string]any) bool {
			lat, lng, ok := position(raw)
			if !ok || lat > top || lat < bottom {
				return false
			}
			if left <= right {
				return lng >= left && lng <= right
			}
			return lng >= left || lng <= right
		}, nil
	}
	if !has(p.index.settings.FilterableAttributes, name) {
		return nil, fmt.Errorf("attribute `%s` is not filterable. Available filterable attributes are: `%s`", name, strings.Join(p.index.settings.FilterableAttributes, "`, `"))
	}
	negate := false
	op := p.next()
	if op == "NOT" {
		negate, op = true, p.next()
	}
	var c condition
	switch op {
	case "EXISTS":
		c = func(raw map[string]any) bool { _, ok := raw[name]; return ok }
	case "IS":
		if p.peek() == "NOT" {
			p.next()
			negate = !negate
		}
		what := p.next()
		c = func(raw map[string]any) bool {
			v, ok := raw[name]
			if what == "NULL" {
				return ok && v == nil
			}
			return ok && (v == "" || fmt.Sprint(v) == "[]" || fmt.Sprint(v) == "map[]")
		}
	case "IN":
		if err := p.want("["); err != nil {
			return nil, err
		}
		set := map[string]bool{}
		for p.peek() != "]" {
			if p.peek() == "" {
				return nil, fmt.Errorf("expected `]`")
			}
			set[strings.ToLower(unquote(p.next()))] = true
			if p.peek() == "," {
				p.next()
			}
		}
		p.next()
		c = func(raw map[string]any) bool {
			for _, v := range values(raw, name) {
				if set[strings.ToLower(fmt.Sprint(v))] {
					return true
				}
			}
			return false
		}
	case "=", "!=":
		want := strings.ToLower(unquote(p.next()))
		negate = negate != (op == "!=")
		c = func(raw map[string]any) bool {
			for _, v := range values(raw, name) {
				if strings.ToLower(fmt.Sprint(v)) == want {
					return true
				}
			}
			return false
		}
	case ">", ">=", "<", "<=":
		bound, err := strconv.ParseFloat(unquote(p.next()), 64)
		if err != nil {
			return nil, fmt.Errorf("`%s` only works on numbers", op)
		}
		c = func(raw map[string]any) bool {
			for _, v := range values(raw, name) {
				f, ok := v.(float64)
				if ok && (op == ">" && f > bound || op == ">=" && f >= bound || op == "<" && f < bound || op == "<=" && f <= bound) {
					return true
				}
			}
			return false
		}
	default:
		return nil, fmt.Errorf("was expecting an operation `=`, `!=`, `>=`, `>`, `<=`, `<`, `IN`, `NOT IN`, `TO`, `EXISTS`, `NOT EXISTS`, `IS NULL`, `IS NOT NULL`, `_geoRadius`, or `_geoBoundingBox` at `%s`", op)
	}
	if negate {
		return func(raw map[string]any) bool { return !c(raw) }, nil
	}
	return c, nil
}

func (p *parser) numbers(open, end string) ([]float64, error) {
	if err := p.want(open); err != nil {
		return nil, err
	}
	var out []float64
	for {
		f, err := strconv.ParseFloat(p.next(), 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, fmt.Errorf("was expecting a number")
		}
		out = append(out, f)
		switch t := p.next(); t {
		case end:
			return out, nil
		case ",":
		default:
			return nil, fmt.Errorf("expected `,` or `%s`, found `%s`", end, t)
		}
	}
}

func (p *parser) geo(lat, lng float64) error {
	if !has(p.index.settings.FilterableAttributes, "_geo") {
		return fmt.Errorf("attribute `_geo` is not filterable")
	}
	if lat < -90 || lat > 90 {
		return fmt.Errorf("bad latitude `%v`. Latitude must be contained between -90 and 90 degrees", lat)
	}
	if lng < -180 || lng > 180 {
		return fmt.Errorf("bad longitude `%v`. Longitude must be contained between -180 and 180 degrees", lng)
	}
	return nil
}

func unquote(s string) string {
	if len(s) >= 2 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0] {
		return regexp.MustCompile(`\\(.)`).ReplaceAllString(s[1:len(s)-1], "$1")
	}
	return s
}

func meters(lat1, lng1, lat2, lng2 float64) float64 {
	const r = 6_371_000
	rad := math.Pi / 180
	dlat, dlng := (lat2-lat1)*rad, (lng2-lng1)*rad
	h := math.Pow(math.Sin(dlat/2), 2) + math.Cos(lat1*rad)*math.Cos(lat2*rad)*math.Pow(math.Sin(dlng/2), 2)
	return 2 * r * math.Asin(math.Min(1, math.Sqrt(h)))
}
