package main

import (
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"

	"throng/server"
)

type configCmd struct {
	serverFlags
	Defaults bool `env:"-" xor:"what" help:"Show the defaults, each with what it does and what it accepts."`
	Check    bool `env:"-" xor:"what" help:"Say whether the server would start with these options; show nothing else."`
}

// Help gives examples to kong.
func (configCmd) Help() string {
	return `Examples:
  throng config --defaults > throng.yaml
  throng config --config throng.yaml            what is in force, flags and environment included
  throng config --config throng.yaml --check    exit status 0: the server would start with it`
}

// Run prints to standard output; what is refused is a usage error.
func (c *configCmd) Run(p *process) error {
	if c.Defaults {
		return writeDefaults(p.stdout)
	}
	if err := c.options.Check(); err != nil {
		return usageError{err}
	}
	if c.Check {
		_, err := fmt.Fprintln(p.stdout, "ok")
		return err
	}
	return c.writeInForce(p.stdout)
}

// writeInForce prints every option, as a file that --config reads.
func (c *configCmd) writeInForce(w io.Writer) error {
	values := reflect.ValueOf(*c.options)
	var b strings.Builder
	for _, s := range server.Settings() {
		fmt.Fprintf(&b, "%s: %s\n", s.Name, yamlText(s, values.FieldByName(s.Field).Interface()))
	}
	fmt.Fprintf(&b, "log-format: %s\nlog-level: %s\n", c.LogFormat, c.LogLevel)
	_, err := io.WriteString(w, b.String())
	return err
}

// writeDefaults prints a commented file.
func writeDefaults(w io.Writer) error {
	values := reflect.ValueOf(server.Defaults())
	var b strings.Builder
	group := ""
	for _, s := range server.Settings() {
		if s.Group != group {
			group = s.Group
			fmt.Fprintf(&b, "## %s\n\n", group)
		}
		fmt.Fprintf(&b, "# %s\n# accepted: %s\n%s: %s\n\n", s.Help, s.Accepts, s.Name, yamlText(s, values.FieldByName(s.Field).Interface()))
	}
	b.WriteString("## " + logGroup + "\n\n# accepted: text, json\nlog-format: text\n\n# accepted: debug, info, warn, error\nlog-level: info\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// yamlText writes a value so that YAML reads back the same text.
func yamlText(s server.Setting, v any) string {
	switch v := v.(type) {
	case string:
		return strconv.Quote(v)
	case []string:
		quoted := make([]string, len(v))
		for i, x := range v {
			quoted[i] = strconv.Quote(x)
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	}
	return settingText(s, v)
}

// optionsPage is docs/options.md; a test keeps the page current.
func optionsPage() string {
	values := reflect.ValueOf(server.Defaults())
	var b strings.Builder
	b.WriteString(`# Options of the server

Made from the table in server/options_check.go; do not edit. After a change of the table:
` + "`go test ./cmd/throng -run OptionsPage -rewrite`" + `.

Each is a flag of ` + "`throng serve`" + `, a variable (` + "`--head-bytes-max`: `THRONG_HEAD_BYTES_MAX`" + `) and a key of the
YAML file given by ` + "`--config`" + `. Flags beat environment beats file. Times are written ` + "`300ms`, `25s`, `1h30m`" + `; bytes
` + "`65536` or `64KiB`" + `. Unknown names and impossible values are refused at start.
`)
	group := ""
	for _, s := range server.Settings() {
		if s.Group != group {
			group = s.Group
			fmt.Fprintf(&b, "\n## %s\n\n| option | default | accepted | what it does |\n|---|---|---|---|\n", group)
		}
		text := settingText(s, values.FieldByName(s.Field).Interface())
		if text == "" {
			text = "none"
		}
		fmt.Fprintf(&b, "| `--%s` | %s | %s | %s |\n", s.Name, text, s.Accepts, s.Help)
	}
	b.WriteString("\n## " + logGroup + "\n\n| option | default | accepted | what it does |\n|---|---|---|---|\n" +
		"| `--log-format` | text | text, json | how logs are written, to standard error |\n" +
		"| `--log-level` | info | debug, info, warn, error | the least that is logged; SIGHUP reads it again from the file |\n")
	return b.String()
}
