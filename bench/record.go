package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Record is a directory that keeps a measurement: env.json and command.txt, and of a run
// report.json and histograms.hlog. Several runs have a directory each, run-1, run-2 …,
// beside summary.json. A record is never changed. One goroutine at a time may use it.
type Record struct {
	dir     string
	env     Environment
	command []string
	runs    int // that are planned
	added   int
}

// Files of a record.
const (
	fileEnvironment = "env.json"
	fileCommand     = "command.txt"
	fileReport      = "report.json"
	fileSummary     = "summary.json"
	fileHistograms  = "histograms.hlog"
	directoryRun    = "run-"
)

// NewRecord prepares a record of a number of runs. Nothing is written before the first
// run is added, but a directory that is already there is refused at once.
func NewRecord(dir string, env Environment, command []string, runs int) (*Record, error) {
	if _, err := os.Lstat(dir); err == nil {
		return nil, fmt.Errorf("%s is already there; a record is never written over", dir)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return &Record{dir: dir, env: env, command: command, runs: runs}, nil
}

// Add writes the next run.
func (r *Record) Add(rep Report) error {
	if r.added++; r.added == 1 {
		if err := r.begin(); err != nil {
			return err
		}
	}
	dir := r.dir
	if r.runs > 1 {
		dir = filepath.Join(dir, fmt.Sprint(directoryRun, r.added))
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	if err := writeJSON(filepath.Join(dir, fileReport), rep); err != nil {
		return err
	}
	if len(rep.Latencies) == 0 {
		return nil
	}
	text, err := histogramLog(rep)
	if err != nil {
		return err
	}
	return writeNew(filepath.Join(dir, fileHistograms), text)
}

func (r *Record) begin() error { return writeSetting(r.dir, r.env, r.command) }

func writeSetting(dir string, env Environment, command []string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	if err := writeJSON(filepath.Join(dir, fileEnvironment), env); err != nil {
		return err
	}
	return writeNew(filepath.Join(dir, fileCommand), []byte(shellLine(command)+"\n"))
}

// WriteSetting makes a record of something that is no scenario: env.json and command.txt
// as everywhere, and one file of its own. The directory must not be there.
func WriteSetting(dir string, env Environment, command []string, file string, body []byte) error {
	if err := writeSetting(dir, env, command); err != nil {
		return err
	}
	return writeNew(filepath.Join(dir, file), body)
}

// ReadSetting reads what every record has.
func ReadSetting(dir string) (env Environment, command string, err error) {
	if err := readJSON(filepath.Join(dir, fileEnvironment), &env); err != nil {
		return env, "", err
	}
	line, err := os.ReadFile(filepath.Join(dir, fileCommand))
	return env, strings.TrimSpace(string(line)), err
}

// Finish writes the summary of several runs.
func (r *Record) Finish(s Summary) error {
	if r.runs == 1 {
		return nil
	}
	return writeJSON(filepath.Join(r.dir, fileSummary), s)
}

func writeJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return writeNew(path, append(b, '\n'))
}

// writeNew writes a file that must not be there.
func writeNew(path string, body []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(body)
	return errors.Join(err, f.Close())
}

// shellLine is a command as a shell reads it.
func shellLine(argv []string) string {
	words := make([]string, len(argv))
	for i, w := range argv {
		if words[i] = w; w == "" || strings.ContainsAny(w, " \t\n'\"\\$`&|;<>()*?[]{}#~!") {
			words[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}

// Recorded is a record as it was read.
type Recorded struct {
	Environment Environment
	Command     string
	Reports     []Report // one for each run, with their histograms
}

// ReadRecord reads the record in a directory. A file that is missing or does not fit the
// others is an error.
func ReadRecord(dir string) (Recorded, error) {
	var r Recorded
	var err error
	if r.Environment, r.Command, err = ReadSetting(dir); err != nil {
		return r, err
	}
	if _, err := os.Stat(filepath.Join(dir, fileReport)); err == nil {
		return r, r.read(dir)
	}
	var s Summary
	if err := readJSON(filepath.Join(dir, fileSummary), &s); err != nil {
		return r, err
	}
	for i := range s.Runs {
		if err := r.read(filepath.Join(dir, fmt.Sprint(directoryRun, i+1))); err != nil {
			return r, err
		}
	}
	return r, nil
}

// read adds the run in dir.
func (r *Recorded) read(dir string) error {
	var rep Report
	if err := readJSON(filepath.Join(dir, fileReport), &rep); err != nil {
		return err
	}
	if len(rep.Latencies) > 0 {
		path := filepath.Join(dir, fileHistograms)
		text, err := os.ReadFile(path)
		if err == nil {
			err = readHistograms(text, rep.Latencies)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	r.Reports = append(r.Reports, rep)
	return nil
}

func readJSON(path string, into any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
