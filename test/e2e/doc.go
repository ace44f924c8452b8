// Package e2e tests the real binaries over real sockets, with clients that are not ours:
// curl, the npm package eventsource, and a headless Chromium that shows examples/hostfeed.
//
// It holds tests only. Tools that are missing are asked of scripts/need; a test whose tool
// can't be had fails and says so, it is never left out. The tests take whatever ports are
// free, and end no process but those they started. E2E_SCREENSHOT=DIR keeps the pictures
// of the page in DIR.
package e2e
