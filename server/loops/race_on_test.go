//go:build race

package loops

const racing = true
