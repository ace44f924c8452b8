package main

import "fmt"

// load is /proc/loadavg, proc(5): the mean number of tasks that ran or waited for a CPU or
// a disk, over 1, 5 and 15 minutes, and how many tasks there are now.
type load struct {
	UnixMs   int64   `json:"unixMs"`
	Load1    float64 `json:"load1"`
	Load5    float64 `json:"load5"`
	Load15   float64 `json:"load15"`
	Runnable int     `json:"runnable"`
	Tasks    int     `json:"tasks"`
}

func parseLoad(text string) (l load, err error) {
	_, err = fmt.Sscanf(text, "%g %g %g %d/%d", &l.Load1, &l.Load5, &l.Load15, &l.Runnable, &l.Tasks)
	return l, err
}
