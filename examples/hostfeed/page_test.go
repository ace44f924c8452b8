package main

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func get(t *testing.T, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	pageHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

// The page's policy forbids inline code and foreign files, so each file that the page
// names must be served here, under its proper type: browsers run no module without it.
func TestPage_ServesEveryFileItNames(t *testing.T) {
	page := get(t, "/")
	if page.Code != http.StatusOK || !strings.HasPrefix(page.Header().Get("Content-Type"), "text/html") {
		t.Fatalf("%d, %s", page.Code, page.Header().Get("Content-Type"))
	}
	if page.Header().Get("Content-Security-Policy") != policy {
		t.Error("the page came without its policy")
	}
	named := regexp.MustCompile(`(?:src|href)="([^":]+)"`).FindAllStringSubmatch(page.Body.String(), -1)
	if len(named) < 2 {
		t.Fatalf("the page names %v; a style and a script were expected", named)
	}
	types := map[string]string{"css": "text/css", ".js": "text/javascript"}
	for _, n := range named {
		file := get(t, "/"+n[1])
		want := types[n[1][len(n[1])-3:]]
		if got := file.Header().Get("Content-Type"); file.Code != http.StatusOK || want == "" || !strings.HasPrefix(got, want) {
			t.Errorf("%s: %d, type %q", n[1], file.Code, got)
		}
	}
	if other := get(t, "/main.go"); other.Code != http.StatusNotFound {
		t.Errorf("a file that is not the page's: %d", other.Code)
	}
}
