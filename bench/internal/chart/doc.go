// Package chart draws the charts of bench as PNG: lines over two axes that are linear,
// logarithmic, or made for percentiles. A Chart is a value; drawing one touches nothing
// else, so any goroutine may.
package chart
