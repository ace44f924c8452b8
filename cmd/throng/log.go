package main

import (
	"io"
	"log/slog"

	"github.com/alecthomas/kong"

	"throng/server"
)

const logGroup = "Logs"

// serverFlags are the options of commands that read the server's configuration.
type serverFlags struct {
	Config    configFile `help:"YAML file of options; a key is a flag's name." placeholder:"FILE"`
	LogFormat string     `group:"Logs" enum:"text,json" default:"text" help:"How logs are written: text or json."`
	LogLevel  string     `group:"Logs" enum:"debug,info,warn,error" default:"info" help:"The least that is logged: debug, info, warn or error. SIGHUP reads it again."`

	kong.Plugins // the server's options, tagged

	options *server.Options // the same memory as the plugin
}

func newServerFlags() serverFlags {
	o, tagged := newSettings()
	return serverFlags{Plugins: kong.Plugins{tagged}, options: o}
}

// level reads --log-level; kong has checked it.
func (f *serverFlags) level() (l slog.Level) {
	_ = l.UnmarshalText([]byte(f.LogLevel)) // one of the enum's names
	return l
}

// logger writes to w, and obeys level when it changes.
func (f *serverFlags) logger(w io.Writer, level *slog.LevelVar) *slog.Logger {
	level.Set(f.level())
	o := &slog.HandlerOptions{Level: level}
	if f.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}
