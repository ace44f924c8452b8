// Package obs is the metrics table of a server: every metric has a name, a type and a
// sentence in one place (Families), a typed field in Table, and is there from the start,
// so that a dashboard sees a zero before the first event.
//
// Counting is an atomic addition: no look-up, no lock, no allocation. Values that
// somebody else keeps already are read by a callback when a scrape comes. Labels are
// numbered tables given at the start; the only open one, the namespace, is bounded. A
// topic, a user or a device is never a label.
//
// Each Table has its own metrics.Set, never the global one, so two servers in one process
// do not count into each other. The format written is the Prometheus text format 0.0.4
// (https://prometheus.io/docs/instrumenting/exposition_formats/). Histograms are written
// here and not by the library, because its buckets (vmrange) cannot be read as quantiles
// by Prometheus.
package obs
