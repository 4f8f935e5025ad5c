package api

import (
	"github.com/gofiber/fiber/v2"

	"archipel/directory"
	"archipel/frontend"
	"archipel/geo"
)

type landingPage struct {
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
	Links       []link `json:"links"`
}

// landing is the landing page of OGC API (OGC API Features 1.0, 7.2).
func (s *Server) landing(c *fiber.Ctx) error {
	base, site := s.base(c)+"/api", s.Site()
	return c.JSON(landingPage{
		Title: site.Name, Description: site.Territory,
		Links: []link{
			{base + "/", "self", typeJSON, "this document"},
			{base + "/openapi.json", "service-desc", typeOpenAPI, "the API definition"},
			{base + "/conformance", "conformance", typeJSON, "conformance classes"},
			{base + "/collections", "data", typeJSON, "collections"},
			{base + "/taxonomy", "http://www.opengis.net/def/rel/ogc/1.0/vocabulary", typeJSON, "the categories"},
			{s.base(c) + "/", "alternate", fiber.MIMETextHTML, "the directory for people"},
		},
	})
}

func (s *Server) conformance(c *fiber.Ctx) error {
	return c.JSON(fiber.Map{"conformsTo": []string{
		"http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
		"http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/oas30",
		"http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson",
		"http://www.opengis.net/spec/ogcapi-features-4/1.0/conf/create-replace-delete",
		"http://www.opengis.net/spec/ogcapi-features-4/1.0/conf/update",
		"http://www.opengis.net/spec/ogcapi-features-4/1.0/conf/optimistic-locking",
	}})
}

type collectionDoc struct {
	ID          string   `json:"id"`
	Title       string   `json:"title"`
	Description string   `json:"description,omitempty"`
	ItemType    string   `json:"itemType"`
	CRS         []string `json:"crs"`
	Extent      *extent  `json:"extent,omitempty"`
	Links       []link   `json:"links"`
}

type extent struct {
	Spatial spatialExtent `json:"spatial"`
}

type spatialExtent struct {
	BBox [][4]float64 `json:"bbox"`
	CRS  string       `json:"crs"`
}

func (s *Server) collectionDoc(c *fiber.Ctx, id string, kind directory.Kind) collectionDoc {
	words := frontend.T(s.lang(c))
	title := s.Site().Name
	if kind != "" {
		title = words.Text("kinds." + string(kind))
	}
	base := s.base(c)
	doc := collectionDoc{
		ID: id, Title: title, ItemType: "feature", CRS: []string{crs84},
		Links: []link{
			{base + "/api/collections/" + id, "self", typeJSON, ""},
			{base + "/api/collections/" + id + "/items", "items", typeGeoJSON, title},
		},
	}
	suffix := ""
	if kind != "" {
		suffix = "?kind=" + string(kind)
	}
	doc.Links = append(doc.Links, link{base + "/" + suffix, "alternate", fiber.MIMETextHTML, title},
		link{base + "/entries.csv" + suffix, "enclosure", "text/csv", "CSV"})
	f := geo.Filter{}
	if kind != "" {
		f.Kinds = []directory.Kind{kind}
	}
	if b, ok, err := s.Index.Snapshot().Bounds(f); err == nil && ok {
		doc.Extent = &extent{spatialExtent{[][4]float64{{b.Min[0], b.Min[1], b.Max[0], b.Max[1]}}, crs84}}
	}
	return doc
}

func (s *Server) collections(c *fiber.Ctx) error {
	docs := make([]collectionDoc, len(collections))
	for i, col := range collections {
		docs[i] = s.collectionDoc(c, col.id, col.kind)
	}
	return c.JSON(fiber.Map{"links": []link{{s.base(c) + "/api/collections", "self", typeJSON, ""}}, "collections": docs})
}

func (s *Server) collection(c *fiber.Ctx) error {
	kind, err := collectionKind(c.Params("collection"))
	if err != nil {
		return err
	}
	return c.JSON(s.collectionDoc(c, c.Params("collection"), kind))
}

// taxonomyJSON is the instance's categories, with their crosswalk.
func (s *Server) taxonomyJSON(c *fiber.Ctx) error { return c.JSON(s.Taxonomy) }
