package main

import (
	"embed"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"time"
)

//go:embed page
var pageFiles embed.FS

// headTimeout is how long a browser may take to ask for the page.
const headTimeout = 5 * time.Second

// policy lets the page load its own files and connect to any push server, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src http: https:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// servePage serves the page from now on until the process ends.
func servePage(address string) error {
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	origin := "http://" + ln.Addr().String()
	fmt.Fprintf(os.Stderr, "hostfeed: page: %s/ (throng serve needs --cors-origins %s)\n", origin, origin)
	s := &http.Server{Handler: pageHandler(), ReadHeaderTimeout: headTimeout}
	go func() {
		fmt.Fprintln(os.Stderr, "hostfeed: page:", s.Serve(ln))
		os.Exit(1)
	}()
	return nil
}

func pageHandler() http.Handler {
	files, err := fs.Sub(pageFiles, "page")
	if err != nil {
		panic(err) // the name above is no path
	}
	server := http.FileServerFS(files)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-cache")
		server.ServeHTTP(w, r)
	})
}
