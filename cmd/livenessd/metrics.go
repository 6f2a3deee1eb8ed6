package main

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/common/expfmt"

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
	fault    *prometheus.GaugeVec
	faults   *prometheus.CounterVec
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
		fault:  prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "livenessd_camera_fault", Help: "1 while the camera has this fault."}, []string{"fault"}),
		faults: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "livenessd_camera_faults_total", Help: "How often each fault of the camera began."}, []string{"fault"}),
		ready:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "livenessd_camera_ready", Help: "1 while the camera delivers frames."}),
		opens:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "livenessd_camera_opens", Help: "How often the camera began to deliver."}),
		losses: prometheus.NewGauge(prometheus.GaugeOpts{Name: "livenessd_camera_losses", Help: "How often the camera stopped by itself."}),
		phases: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "livenessd_phase", Help: "1 for the present phase of the kiosk."}, []string{"phase"}),
	}
	m.registry.MustRegister(m.analysis, m.latency, m.failures, m.results, m.reasons, m.sessions, m.ready, m.fault, m.faults, m.opens, m.losses, m.phases,
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
	for _, f := range livenessd.CameraFaults {
		m.fault.WithLabelValues(string(f))
		m.faults.WithLabelValues(string(f))
	}
	return m
}

// text is everything in the text format of Prometheus.
func (m *metrics) text() (string, error) {
	families, err := m.registry.Gather()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&b, f); err != nil {
			return "", err
		}
	}
	return b.String(), nil
}

func (m *metrics) analysed(work, age time.Duration, err error) {
	if err != nil {
		m.failures.Inc()
		return
	}
	m.analysis.Observe(work.Seconds())
	m.latency.Observe(age.Seconds())
}

// watchCamera publishes what a Keeper knows; exits is how often the process
// ended because of the camera, as far as the journal remembers.
func (m *metrics) watchCamera(status func() capture.Status, exits int) error {
	stages := map[string]func() float64{
		recoverReopen: func() float64 { return float64(status().Reopens) },
		recoverReset:  func() float64 { return float64(status().Resets) },
		recoverExit:   func() float64 { return float64(exits) },
	}
	for stage, count := range stages {
		if err := m.registry.Register(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "livenessd_camera_recoveries_total", Help: "Steps taken to bring back a camera that is there and fails; exit counts those in the journal.",
			ConstLabels: prometheus.Labels{"stage": stage},
		}, count)); err != nil {
			return err
		}
	}
	if err := m.registry.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "livenessd_camera_frames_per_second", Help: "Frames from the camera in the last second."},
		func() float64 { return status().Rate })); err != nil {
		return err
	}
	return m.registry.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "livenessd_camera_light", Help: "Mean luma of a recent frame, 0 to 255."},
		func() float64 { return status().Light.Mean }))
}

// watchStore publishes how recording goes, and the room in the store's folder.
func (m *metrics) watchStore(counts func() (waiting int, failures uint64), calls func() int, dir string) error {
	for _, c := range []prometheus.Collector{
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "livenessd_store_waiting", Help: "Entries that wait in memory for a disk that can be written."},
			func() float64 { n, _ := counts(); return float64(n) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "livenessd_jobs_waiting", Help: "Records of calls of the API that are still to be written; more than a few hundred for long: the disk fails."},
			func() float64 { return float64(calls()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "livenessd_store_failures_total", Help: "Attempts to write that the disk refused."},
			func() float64 { _, n := counts(); return float64(n) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "livenessd_store_free_bytes", Help: "Free space beside the store."},
			func() float64 { free, err := freeSpace(dir); return freeOrNaN(free, err) }),
	} {
		if err := m.registry.Register(c); err != nil {
			return err
		}
	}
	return nil
}

// camera takes the change from one status to the next.
func (m *metrics) camera(was, s capture.Status) {
	m.ready.Set(map[bool]float64{true: 1}[s.Ready])
	m.opens.Set(float64(s.Opens))
	m.losses.Set(float64(s.Losses))
	for _, f := range livenessd.CameraFaults {
		m.fault.WithLabelValues(string(f)).Set(map[bool]float64{true: 1}[f == s.Fault])
	}
	if s.Fault != "" && s.Fault != was.Fault {
		m.faults.WithLabelValues(string(s.Fault)).Inc()
	}
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
