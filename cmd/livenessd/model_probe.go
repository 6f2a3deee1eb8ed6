package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"livenessd"
	"livenessd/models"
	"livenessd/pipeline"
)

// A network from outside may make its runtime crash, hang or eat all memory,
// and nothing in this process could catch that. So it is tried first in a
// child: this same program, called as `livenessd model -probe`, which reads
//
//	the network's spec, as one line of JSON
//	the network's bytes, to the end
//
// from its standard input, loads the network, runs it on noise, and prints a
// verdict, as one line of JSON, or dies.

// probeArg makes the child. It is not for people, so no help lists it.
const probeArg = "-probe"

// probe is what a child may use.
type probe struct {
	patience time.Duration // until it is killed
	memory   uint64        // bytes of data it may hold
}

var defaultProbe = probe{patience: 20 * time.Second, memory: 2 << 30}

// program returns the path of this program. Tests run another one.
var program = os.Executable

type verdict struct {
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
}

// Bounds of what passes between parent and child.
const (
	maxProbeSpec = 1 << 20
	maxProbeData = 64 << 20
	maxProbeSays = 64 << 10 // bytes kept of each of the child's outputs
	maxReason    = 400      // of a reason, in bytes
)

// tryNetwork says why n cannot be used, in one sentence; nil when it runs.
func tryNetwork(ctx context.Context, n models.Network, p probe) error {
	exe, err := program()
	if err != nil {
		return fmt.Errorf("this program cannot find itself to try it: %w", err)
	}
	spec, err := json.Marshal(n.Spec)
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, p.patience)
	defer cancel()
	cmd := exec.CommandContext(limited, exe, "model", probeArg, fmt.Sprint(p.memory))
	cmd.Stdin = io.MultiReader(bytes.NewReader(spec), strings.NewReader("\n"), bytes.NewReader(n.Data))
	out, errs := &bounded{room: maxProbeSays}, &bounded{room: maxProbeSays}
	cmd.Stdout, cmd.Stderr = out, errs
	cmd.Env = []string{"GOTRACEBACK=none"} // of the daemon's surroundings the child needs no more than this
	for _, key := range []string{"LD_LIBRARY_PATH", "TMPDIR"} {
		if v, ok := os.LookupEnv(key); ok {
			cmd.Env = append(cmd.Env, key+"="+v)
		}
	}
	cmd.WaitDelay = time.Second
	err = cmd.Run()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case limited.Err() != nil:
		return fmt.Errorf("it did not load and run within %v", p.patience)
	}
	return sentence(out.Bytes(), errs.String(), err)
}

// sentence is what a child's outputs and its end say about the network. Only a
// verdict of a child that ended well is a good one.
func sentence(out []byte, errs string, end error) error {
	var v verdict
	if err := json.Unmarshal(out, &v); err != nil {
		v = verdict{}
	}
	switch {
	case v.Error != "":
		return errors.New(v.Error)
	case v.OK && end == nil:
		return nil
	case end == nil:
		end = errors.New("no answer")
	}
	return fmt.Errorf("loading and running it ended the process that tried it: %s", oneLine(lastWords(errs, end)))
}

// lastWords returns what a process that died said: the first line of its
// standard error that tells something, else how it ended.
func lastWords(errs string, how error) string {
	for line := range strings.Lines(errs) {
		if line = strings.TrimSpace(line); line != "" {
			return fmt.Sprintf("%s (%v)", line, how)
		}
	}
	return how.Error()
}

// oneLine makes one bounded line of what a library said in several.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > maxReason {
		s = strings.ToValidUTF8(s[:maxReason], "") + "…"
	}
	return s
}

// bounded keeps the first bytes that are written to it and takes the rest
// without a word, so that a child is not held up by what it says.
type bounded struct {
	bytes.Buffer
	room int
}

func (b *bounded) Write(p []byte) (int, error) {
	keep := min(len(p), b.room-b.Len())
	b.Buffer.Write(p[:keep])
	return len(p), nil
}

// probeCommand is the child.
func probeCommand(in io.Reader, out io.Writer, memory uint64) (int, error) {
	if err := confine(memory); err != nil {
		return exitFailed, err
	}
	v := verdict{OK: true}
	if err := tryHere(in); err != nil {
		v = verdict{Error: oneLine(err.Error())}
	}
	if err := json.NewEncoder(out).Encode(v); err != nil {
		return exitFailed, err
	}
	return exitOK, nil
}

// confine bounds this process: memory, processor time should its parent be
// gone, no core file, and first in line when the machine runs out of memory.
func confine(memory uint64) error {
	for _, l := range []struct {
		what int
		max  uint64
	}{{unix.RLIMIT_DATA, memory}, {unix.RLIMIT_CPU, 60}, {unix.RLIMIT_CORE, 0}} {
		if err := unix.Setrlimit(l.what, &unix.Rlimit{Cur: l.max, Max: l.max}); err != nil {
			return fmt.Errorf("this process cannot be bounded: %w", err)
		}
	}
	// A wish only: where the kernel does not hear it, the bound above still holds.
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0)
	return nil
}

// tryHere reads a network and runs it on noise, twice: some layers keep
// something between runs.
func tryHere(in io.Reader) error {
	r := bufio.NewReaderSize(in, maxProbeSpec)
	line, err := r.ReadSlice('\n')
	if err != nil {
		return fmt.Errorf("%w: the spec is not one line of at most %d bytes: %w", livenessd.ErrInvalid, maxProbeSpec, err)
	}
	var n models.Network
	if err := json.Unmarshal(line, &n.Spec); err != nil {
		return fmt.Errorf("%w: spec: %w", livenessd.ErrInvalid, err)
	}
	if n.Data, err = io.ReadAll(io.LimitReader(r, maxProbeData+1)); err != nil {
		return err
	}
	if len(n.Data) > maxProbeData {
		return fmt.Errorf("%w: it has more than %d bytes", livenessd.ErrTooLarge, maxProbeData)
	}
	pipeline.SetThreads(1)
	t, err := pipeline.NewTrial(n)
	if err != nil {
		return err
	}
	defer t.Close()
	for range 2 {
		if err := errors.Join(t.Feed(), t.Forward()); err != nil {
			return err
		}
	}
	return nil
}
