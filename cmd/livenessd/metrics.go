package main

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"livenessd"
	"livenessd/capture"
)

// metrics is what the terminal publishes about itself. Nothing in it tells one
// person from another.
type metrics struct {
	registry *prometheus.Registry

	analysis prometheus.Histogram
	latency  prometheus.Histogram
	failures prometheus.Counter
	results  *prometheus.CounterVec
	reasons  *prometheus.CounterVec
	sessions *prometheus.HistogramVec
	ready    prometheus.Gauge
	opens    prometheus.Gauge
	losses   prometheus.Gauge
	phases   *prometheus.GaugeVec
	current  livenessd.Phase
}

func newMetrics(f frames, pages func() int) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		analysis: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "livenessd_analysis_seconds", Help: "Time to analyse one frame.",
			Buckets: []float64{.005, .01, .015, .02, .03, .04, .05, .075, .1, .25, .5, 1, 2},
		}),
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "livenessd_frame_to_observation_seconds", Help: "Age of a frame when it had been analysed.",
			Buckets: []float64{.01, .02, .03, .04, .05, .075, .1, .25, .5, 1, 2},
		}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "livenessd_analysis_failures_total", Help: "Frames that could not be analysed.",
		}),
		results: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "livenessd_results_total", Help: "Results by outcome.",
		}, []string{"outcome"}),
		reasons: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "livenessd_result_reasons_total", Help: "Reasons of results that were not live.",
		}, []string{"reason"}),
		sessions: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "livenessd_session_seconds", Help: "From the first face to the result.",
			Buckets: []float64{2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 60},
		}, []string{"outcome"}),
		ready:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "livenessd_camera_ready", Help: "1 while the camera delivers frames."}),
		opens:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "livenessd_camera_opens", Help: "How often the camera began to deliver."}),
		losses: prometheus.NewGauge(prometheus.GaugeOpts{Name: "livenessd_camera_losses", Help: "How often the camera stopped by itself."}),
		phases: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "livenessd_phase", Help: "1 for the present phase of the kiosk."}, []string{"phase"}),
	}
	m.registry.MustRegister(m.analysis, m.latency, m.failures, m.results, m.reasons, m.sessions, m.ready, m.opens, m.losses, m.phases,
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "livenessd_frames_total", Help: "Frames from the camera."},
			func() float64 { return float64(f.Frames()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "livenessd_frames_dropped_total", Help: "Frames replaced by newer ones before they were judged."},
			func() float64 { return float64(f.Drops()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "livenessd_pages", Help: "Connected kiosk pages."},
			func() float64 { return float64(pages()) }),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	for _, o := range []livenessd.Outcome{livenessd.Live, livenessd.NotLive, livenessd.Retry} {
		m.results.WithLabelValues(string(o)) // so that a rate is 0 before the first
	}
	return m
}

func (m *metrics) analysed(work, age time.Duration, err error) {
	if err != nil {
		m.failures.Inc()
		return
	}
	m.analysis.Observe(work.Seconds())
	m.latency.Observe(age.Seconds())
}

func (m *metrics) camera(s capture.Status) {
	m.ready.Set(map[bool]float64{true: 1}[s.Ready])
	m.opens.Set(float64(s.Opens))
	m.losses.Set(float64(s.Losses))
}

func (m *metrics) result(r *livenessd.Result) {
	m.results.WithLabelValues(string(r.Outcome)).Inc()
	for _, why := range r.Reasons {
		m.reasons.WithLabelValues(string(why)).Inc()
	}
	m.sessions.WithLabelValues(string(r.Outcome)).Observe(r.Duration.Seconds())
}

func (m *metrics) phase(p livenessd.Phase) {
	if p == m.current {
		return
	}
	if m.current != "" {
		m.phases.WithLabelValues(string(m.current)).Set(0)
	}
	m.phases.WithLabelValues(string(p)).Set(1)
	m.current = p
}
