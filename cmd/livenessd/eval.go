package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"livenessd"
	"livenessd/challenge"
	"livenessd/evaluate"
	"livenessd/models"
)

// evalOptions is what the flags of eval say.
type evalOptions struct {
	folders   evalFolders
	models    []string
	level     string
	motion    bool
	turns     string // file
	gate      bool
	threshold float64 // 0: the networks' own
	json      bool
	html      string
	scores    string
	calibrate string
}

const evalArgs = "-live DIR... -attack DIR..."

// parseEval reads the flags. Its errors are misuse.
func parseEval(env *environment, args []string) (*evalOptions, Config, error) {
	o := &evalOptions{}
	f := newFlags(env, "eval", evalArgs)
	f.Func("live", "`folder` of people; may be given again, more folders may follow it", o.folders.add(&o.folders.live))
	f.Func("attack", "`folder` of one species of attack; may be given again, more folders may follow it", o.folders.add(&o.folders.attack))
	f.Func("models", "`folder` with networks, before those of models.dirs; may be given again", func(s string) error {
		o.models = append(o.models, s)
		return nil
	})
	f.StringVar(&o.level, "level", "sequence", "what one presentation is: frame, or sequence (a folder of pictures)")
	f.BoolVar(&o.motion, "motion", false, "judge sequences by their movement alone")
	f.StringVar(&o.turns, "turns", "", "with -motion: `file` (CSV: folder,direction) that says where heads turn in the picture: left, right, up, down, or degrees (90 up, 180 left)")
	f.BoolVar(&o.gate, "gate", false, "do not score pictures of poor quality, as the kiosk does not")
	f.Func("threshold", "live at this `score` or above (default the networks' own)", func(s string) (err error) {
		o.threshold, err = strconv.ParseFloat(s, 64)
		if err != nil || !(o.threshold > 0 && o.threshold <= 1) {
			return errors.New("want a number more than 0 and at most 1")
		}
		return nil
	})
	f.BoolVar(&o.json, "json", false, "one JSON object")
	f.StringVar(&o.html, "html", "", "write a page with plots to `file`")
	f.StringVar(&o.scores, "scores", "", "write every presentation's score to `file` (CSV)")
	f.StringVar(&o.calibrate, "calibrate", "", "write a set.json for this very door to `file`: the same networks, live from where these presentations say")
	if err := o.folders.parse(f, args); err != nil {
		return nil, Config{}, err
	}
	if err := o.check(); err != nil {
		return nil, Config{}, err
	}
	cfg, err := f.config()
	cfg.Models.Dirs = append(append([]string{}, o.models...), cfg.Models.Dirs...)
	return o, cfg, err
}

func (o *evalOptions) check() error {
	switch {
	case o.level != "frame" && o.level != "sequence":
		return fmt.Errorf("%w: -level is %q, want frame or sequence", livenessd.ErrInvalid, o.level)
	case o.motion && o.level == "frame":
		return fmt.Errorf("%w: -motion judges sequences: one frame does not move", livenessd.ErrInvalid)
	case o.calibrate != "" && (o.motion || o.threshold != 0):
		return fmt.Errorf("%w: -calibrate moves the border of texture to its threshold: it goes with neither -motion nor -threshold", livenessd.ErrInvalid)
	case o.turns != "" && !o.motion:
		return fmt.Errorf("%w: -turns tells where heads turn, which nothing but -motion looks at: give both", livenessd.ErrInvalid)
	case o.motion && o.gate:
		return fmt.Errorf("%w: -gate asks for faces that look straight ahead, -motion for heads that turn: give one of them", livenessd.ErrInvalid)
	}
	for _, dir := range o.models {
		if _, err := os.ReadDir(dir); err != nil {
			return fmt.Errorf("%w: -models: %v", livenessd.ErrInvalid, err)
		}
	}
	return o.folders.check()
}

// setup says how the report is made, but for the networks.
func (o *evalOptions) setup(set *models.Set) evaluate.Setup {
	s := evaluate.Setup{
		Version: versionString(), JudgedBy: livenessd.StageTexture, Level: o.level, Gate: o.gate, Threshold: set.Fusion.Threshold,
		Models:  map[string]string{string(models.RoleFace): set.Digest(models.RoleFace)},
		Species: map[string]string{},
	}
	if o.motion {
		s.JudgedBy, s.Threshold = livenessd.StageMotion, challenge.MotionThreshold
	} else {
		s.Models[string(models.RoleTexture)] = set.Digest(models.RoleTexture)
	}
	if o.threshold != 0 {
		s.Threshold = o.threshold
	}
	for i, name := range speciesNames(o.folders.attack) {
		s.Species[name] = o.folders.attack[i]
	}
	return s
}

func evalCommand(ctx context.Context, env *environment, args []string) (int, error) {
	o, cfg, err := parseEval(env, args)
	if err != nil {
		return exitMisused, err
	}
	jobs, err := o.find(ctx, env.err)
	if err != nil {
		return misusedUnlessStopped(ctx), err
	}
	if err := readTurns(o.turns, jobs); err != nil {
		return exitMisused, err
	}
	files, err := o.outputs()
	defer files.discard()
	if err != nil {
		return exitMisused, err
	}
	p, err := openPipeline(ctx, cfg)
	if err != nil {
		return exitMisused, err
	}
	defer p.Close()

	presentations, err := o.judge(ctx, env.err, p, jobs)
	if err != nil {
		return exitFailed, err
	}
	if err := files.scores.write(func(w io.Writer) error { return evaluate.WriteScores(w, presentations) }); err != nil {
		return exitFailed, err
	}
	setup := o.setup(p.set)
	report, err := evaluate.Judge(setup, presentations)
	if err != nil {
		return exitMisused, err
	}
	var tooFew error // said after the report, which took long and is good for the rest
	if files.set != nil {
		report.Calibration, tooFew = evaluate.Calibrate(setup, presentations)
	}
	if report.Calibration != nil {
		if err := writeCalibrated(files.set, cfg.Models.Dirs, report); err != nil {
			return exitFailed, err
		}
	}
	if err := files.page.write(report.WriteHTML); err != nil {
		return exitFailed, err
	}
	if o.json {
		err = report.WriteJSON(env.out)
	} else {
		err = report.WriteText(env.out)
	}
	if err != nil {
		return exitFailed, err
	}
	if tooFew != nil {
		return exitMisused, tooFew
	}
	return exitOK, nil
}

// writeCalibrated writes the set.json that moves the border as the report says.
func writeCalibrated(file *output, dirs []string, r *evaluate.Report) error {
	note := fmt.Sprintf("livenessd eval -calibrate: moved by %+.4f, by %d bona fide and %d attack presentations of this door",
		r.Calibration.Shift, r.BPCER.Of, r.APCERPooled.Of)
	set, err := models.Moved("", dirs, r.Calibration.Shift, note)
	if err != nil {
		return err
	}
	return file.write(func(w io.Writer) error {
		_, err := w.Write(set)
		return err
	})
}

func misusedUnlessStopped(ctx context.Context) int {
	if ctx.Err() != nil {
		return exitFailed
	}
	return exitMisused
}
