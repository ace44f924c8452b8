// Package resp is as much of Redis' protocol (RESP2) as it takes to measure a Redis
// without a client library between: commands to bytes, and replies to their texts. It is
// pure: bytes in, bytes out.
package resp
