// Package pipeline knows what one picture shows: where the faces are, how the
// head is held, how good the picture is, and whether the skin looks like skin
// in front of the lens. It is the only package with cgo: OpenCV never sees
// anything that Go has not bounded and validated first, and no OpenCV value
// crosses the package's border.
//
//	Frame ── decode ──► BGR picture ── detect ──► faces ──► pose
//	                                                │   └──► quality
//	                                                ├──► attributes ──► quality: what hides the face
//	                                                └──► texture networks ── fusion ──► Score
//
// Coordinates and sides are those of package livenessd.
package pipeline

import (
	"errors"
	"fmt"
	"hash/maphash"
	"sync"

	"livenessd"
	"livenessd/models"
)

// Config says how pictures are analysed. DefaultConfig gives one that works.
type Config struct {
	Limits   Limits  // what a picture may be
	Quality  Quality // when a picture is good enough
	Threads  int     // OpenCV's threads, for the whole process; 1..64
	MaxFaces int     // faces kept in an Observation, the largest ones; 1..64
	// MinTextureEyes is the distance of the eyes in pixels below which no
	// texture is computed: there is no skin to see.
	MinTextureEyes float64
}

// DefaultConfig returns the configuration that the figures in models/cards
// were measured with.
func DefaultConfig() Config {
	return Config{
		Limits:         DefaultLimits(),
		Quality:        DefaultQuality(),
		Threads:        2,
		MaxFaces:       8,
		MinTextureEyes: 20,
	}
}

// Check returns an error that wraps livenessd.ErrInvalid and names the first
// field that cannot be.
func (c Config) Check() error {
	if c.Threads < 1 || c.Threads > 64 {
		return fmt.Errorf("%w: threads is %d, want 1 to 64", livenessd.ErrInvalid, c.Threads)
	}
	if c.MaxFaces < 1 || c.MaxFaces > 64 {
		return fmt.Errorf("%w: max faces is %d, want 1 to 64", livenessd.ErrInvalid, c.MaxFaces)
	}
	if !(c.MinTextureEyes >= 8 && c.MinTextureEyes <= 1000) {
		return fmt.Errorf("%w: min texture eyes is %v pixels, want 8 to 1000", livenessd.ErrInvalid, c.MinTextureEyes)
	}
	if err := c.Limits.check(); err != nil {
		return err
	}
	return c.Quality.check()
}

// Need says which of the slower parts a caller wants of a frame.
type Need struct {
	Texture bool // run the networks for texture and attributes, about half of the whole work
	// Cutout receives the largest face, to be compared with another by Track;
	// it is emptied when there is none. nil: not wanted.
	Cutout *Cutout
}

// Pipeline analyses pictures, one at a time: calls from several goroutines are
// safe and wait for each other.
type Pipeline struct {
	cfg  Config
	seed maphash.Seed

	mu     sync.Mutex // guards what follows; networks keep state between calls
	closed bool
	face   *faceDetector
	skin   *textureJudge
	covers *attributeJudge // nil when the set has no network for attributes
}

// New loads the networks of set. The Pipeline must be closed. Errors wrap
// livenessd.ErrInvalid (cfg) or livenessd.ErrNotReady (a network that its
// runtime cannot run).
func New(cfg Config, set *models.Set) (*Pipeline, error) {
	if err := cfg.Check(); err != nil {
		return nil, fmt.Errorf("pipeline: %w", err)
	}
	if set == nil {
		return nil, fmt.Errorf("pipeline: %w: no networks", livenessd.ErrNotReady)
	}
	setup(cfg.Threads)
	p := &Pipeline{cfg: cfg, seed: maphash.MakeSeed()}
	var err error
	if p.face, err = newFaceDetector(set.Face); err == nil && set.Confirm != nil {
		p.face.sure, err = newConfirmer(*set.Confirm)
	}
	if err == nil {
		p.skin, err = newTextureJudge(set)
	}
	if err == nil && set.Attributes != nil {
		p.covers, err = newAttributeJudge(*set.Attributes)
	}
	if err != nil {
		p.free()
		return nil, fmt.Errorf("pipeline: %w: %w", livenessd.ErrNotReady, err)
	}
	return p, nil
}

// Close frees the networks. It waits for a running Analyze; a second call does
// nothing.
func (p *Pipeline) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	p.closed = true
	p.free()
	return nil
}

// free closes the networks that are there.
func (p *Pipeline) free() {
	if p.face != nil {
		p.face.close()
	}
	if p.skin != nil {
		p.skin.close()
	}
	if p.covers != nil {
		p.covers.close()
	}
}

var errClosed = errors.New("pipeline is closed")

// Analyze is AnalyzeWith everything.
func (p *Pipeline) Analyze(f livenessd.Frame) (livenessd.Observation, error) {
	return p.AnalyzeWith(f, Need{Texture: true})
}

// AnalyzeWith says what f shows. f.Data is only read.
//
// A picture without a face is no error: the Observation has no Faces and its
// Quality says livenessd.NoFace. Texture and Attributes are nil when they were
// not asked for, when there is no face, or when the face is too small or not in
// the picture; Attributes also when the set has no network for them.
//
// An error means that nothing is known: livenessd.ErrNoPicture when the data
// are not what f.Format says, livenessd.ErrTooLarge when they are beyond
// Config.Limits, otherwise a network that failed.
func (p *Pipeline) AnalyzeWith(f livenessd.Frame, need Need) (livenessd.Observation, error) {
	pic, err := decode(f, p.cfg.Limits)
	if err != nil {
		return livenessd.Observation{}, fmt.Errorf("frame %d: %w", f.Seq, err)
	}
	defer pic.close()
	if need.Cutout != nil {
		*need.Cutout = Cutout{}
	}
	obs := livenessd.Observation{
		Seq: f.Seq, At: f.At, Width: pic.w, Height: pic.h,
		Digest: maphash.Bytes(p.seed, f.Data),
	}

	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return livenessd.Observation{}, errClosed
	}
	if obs.Faces, err = p.face.detect(pic, p.cfg.MaxFaces); err != nil {
		return livenessd.Observation{}, fmt.Errorf("frame %d: %w", f.Seq, err)
	}
	if len(obs.Faces) == 0 {
		obs.Quality = p.cfg.Quality.withoutFace(sampleAll(pic))
		return obs, nil
	}
	face := obs.Faces[0]
	if need.Cutout != nil {
		*need.Cutout = cutOut(pic, &face.Landmarks)
	}
	obs.Pose = EstimatePose(face.Landmarks)
	obs.Quality = p.cfg.Quality.judge(scene{
		width: pic.w, height: pic.h, faces: obs.Faces, pose: obs.Pose, skin: samplePatch(pic, face),
	})
	if need.Texture && texturable(face, pic.w, pic.h, p.cfg.MinTextureEyes) {
		if err := p.lookCloser(pic, face, &obs); err != nil {
			return livenessd.Observation{}, fmt.Errorf("frame %d: %w", f.Seq, err)
		}
	}
	return obs, nil
}

// lookCloser adds to obs what the networks for one face say of face.
func (p *Pipeline) lookCloser(pic *picture, face livenessd.Face, obs *livenessd.Observation) (err error) {
	if p.covers != nil {
		if obs.Attributes, err = p.covers.probabilities(pic, face.Box); err != nil {
			return err
		}
		obs.Quality = append(obs.Quality, p.cfg.Quality.uncovered(obs.Attributes, p.covers.net.spec.Thresholds)...)
	}
	obs.Texture, err = p.skin.score(pic, face.Box)
	return err
}
