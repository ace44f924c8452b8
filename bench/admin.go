package bench

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// metrics reads the admin port's /metrics: sample name with its labels, as written, to
// value. It is nil when the target has no admin port.
func (t target) metrics(ctx context.Context) (map[string]float64, error) {
	if t.admin == "" {
		return nil, nil
	}
	body, err := t.get(ctx, "/metrics")
	if err != nil {
		return nil, err
	}
	samples := make(map[string]float64)
	for sc := bufio.NewScanner(strings.NewReader(body)); sc.Scan(); {
		line := sc.Text()
		at := strings.LastIndexByte(line, ' ')
		if at < 0 || line[0] == '#' {
			continue
		}
		if v, err := strconv.ParseFloat(line[at+1:], 64); err == nil {
			samples[line[:at]] = v
		}
	}
	return samples, nil
}

// sumOf adds the samples of one metric, whatever their labels.
func sumOf(samples map[string]float64, name string) float64 {
	var sum float64
	for k, v := range samples {
		if k == name || strings.HasPrefix(k, name+"{") {
			sum += v
		}
	}
	return sum
}

// nonZero lists the samples of one metric that are not 0, as they are written, in order.
func nonZero(samples map[string]float64, name string) (all []string) {
	for k, v := range samples {
		if (k == name || strings.HasPrefix(k, name+"{")) && v != 0 {
			all = append(all, fmt.Sprintf("%s %v", k, v))
		}
	}
	slices.Sort(all)
	return all
}

// adminBytesMax bounds an answer of the admin port.
const adminBytesMax = 8 << 20

// get reads one page of the admin port.
func (t target) get(ctx context.Context, path string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+t.admin+path, nil)
	if err != nil {
		return "", fmt.Errorf("bench: %w", err)
	}
	req.Close = true // no descriptor stays open at the server
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", fmt.Errorf("bench: %w", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, adminBytesMax))
	if err != nil || res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("bench: %s%s: %s: %v", t.admin, path, res.Status, err)
	}
	return string(body), nil
}
