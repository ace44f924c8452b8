//go:build !race

package main

const buildFlag = "-race=false"
