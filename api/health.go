package api

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	"archipel/directory"
	"archipel/frontend"
	"archipel/geo"

	"github.com/gofiber/fiber/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/valyala/fasthttp/fasthttpadaptor"
)

// Health is a part outside the process that may be away.
type Health interface {
	Name() string
	Ping(ctx context.Context) error
}

// HealthNotes are lines that a part of the program adds to the page of the directory's health, in the reader's language.
type HealthNotes func(ctx context.Context, l *frontend.Localizer) ([]frontend.HealthNote, error)

// healthz says that the process is alive.
func (s *Server) healthz(c *fiber.Ctx) error { return c.SendString("ok\n") }

type readiness struct {
	Ready     bool              `json:"ready"`
	Head      directory.Seq     `json:"head"`
	Store     string            `json:"store"`
	Followers []followerReport  `json:"followers,omitempty"`
	Parts     map[string]string `json:"parts,omitempty"`
}

type followerReport struct {
	Name  string        `json:"name"`
	At    directory.Seq `json:"at"`
	Error string        `json:"error,omitempty"`
	Since *time.Time    `json:"since,omitempty"`
}

// readyz says whether the directory has caught up and its store answers; what else is away is told, and does not make
// the directory unready, since pages work without it.
func (s *Server) readyz(c *fiber.Ctx) error {
	ctx, cancel := context.WithTimeout(c.UserContext(), 2*time.Second)
	defer cancel()
	r := readiness{Ready: s.ready.Load(), Head: s.Directory.Head(), Store: "ok"}
	if err := s.Directory.Store().Ping(ctx); err != nil {
		r.Ready, r.Store = false, "unavailable"
	}
	for _, f := range s.Directory.Followers() {
		if f.Elsewhere {
			continue
		}
		report := followerReport{Name: f.Name, At: f.At}
		if f.Err != nil {
			report.Error, report.Since = "failing", &f.Since
		}
		r.Followers = append(r.Followers, report)
	}
	for _, part := range s.Parts {
		if r.Parts == nil {
			r.Parts = map[string]string{}
		}
		if err := part.Ping(ctx); err != nil {
			r.Parts[part.Name()] = "unavailable"
		} else {
			r.Parts[part.Name()] = "ok"
		}
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	if !r.Ready {
		c.Status(http.StatusServiceUnavailable)
	}
	return c.JSON(r)
}

type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	known    sync.Map // of routeStatus: the observer, since finding it costs more than observing
	page     fiber.Handler
}

func newMetrics(d *directory.Directory, index *geo.Index) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "archipel_http_request_seconds", Help: "Time to answer, by route and status.",
			Buckets: []float64{.001, .005, .02, .1, .5, 2, 10},
		}, []string{"route", "status"}),
	}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), m.requests,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "archipel_log_head", Help: "Sequence number of the newest change."},
			func() float64 { return float64(d.Head()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "archipel_entries", Help: "Public entries."},
			func() float64 { return float64(index.Len()) }),
		followerCollector{d})
	handler := fasthttpadaptor.NewFastHTTPHandler(promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	m.page = func(c *fiber.Ctx) error {
		handler(c.Context())
		return nil
	}
	return m
}

func (m *metrics) observe(route string, code int, took time.Duration) {
	key := routeStatus{route, code}
	of, ok := m.known.Load(key)
	if !ok {
		of, _ = m.known.LoadOrStore(key, m.requests.WithLabelValues(route, strconv.Itoa(code)))
	}
	of.(prometheus.Observer).Observe(took.Seconds())
}

type routeStatus struct {
	route string
	code  int
}

func (s *Server) metricsPage(c *fiber.Ctx) error { return s.metrics.page(c) }

// followerCollector tells how far each follower lags behind the log.
type followerCollector struct{ d *directory.Directory }

var followerLag = prometheus.NewDesc("archipel_follower_lag", "Changes that a follower has yet to consume.", []string{"follower"}, nil)

func (f followerCollector) Describe(ch chan<- *prometheus.Desc) { ch <- followerLag }

func (f followerCollector) Collect(ch chan<- prometheus.Metric) {
	head := f.d.Head()
	for _, state := range f.d.Followers() {
		if state.Elsewhere {
			continue // the node that drives it says
		}
		ch <- prometheus.MustNewConstMetric(followerLag, prometheus.GaugeValue, float64(max(0, head-state.At)), state.Name)
	}
}
