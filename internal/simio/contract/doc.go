// Package contract is what every implementation of poller.Poller and poller.Net owes a
// loop, as tests. The fake kernel and the real one run the same ones: a loop proved on
// the first can then be trusted on the second.
//
// An implementation's own test calls Run with a maker of Harnesses; each subtest gets a
// fresh one. The tests assert no times. What the implementation may do in passing
// (events that carry more flags than were waited for, short counts) they accept.
package contract

import (
	"testing"

	"throng/poller"
)

// Harness is one machine under test. Its maker registers with t.Cleanup what is to be
// closed besides the descriptors, which the tests close themselves.
type Harness struct {
	Net    poller.Net
	Poller poller.Poller // closed by the maker's cleanup
	// Connect gives a connected pair: a non-blocking descriptor nobody watches, and
	// the client's end. It fails the test itself.
	Connect func() (fd int, c Client)
	// Calm means: no event without a cause, so that silence can be asserted. False for
	// a kernel that makes mischief on purpose.
	Calm bool
}

// Client is the far end of a descriptor. It reads nothing by itself. Its methods fail
// the test on errors that the test did not bring about.
type Client interface {
	Send(b []byte)
	// Read waits for bytes and returns 1 to max of them, or nil at the end of the stream
	// and after a reset. The tests call it only when one of these is on its way.
	Read(max int) []byte
	CloseWrite()
	// Close is called with nothing unread, unless a test says otherwise.
	Close()
	// Reset ends the connection with a TCP reset (SO_LINGER 0).
	Reset()
}

// Run runs all of the contract. mk is called once per subtest, with its t.
func Run(t *testing.T, mk func(t *testing.T) Harness) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.run(&rig{T: t, Harness: mk(t)})
		})
	}
}

var cases = []struct {
	name string
	run  func(*rig)
}{
	{"Add_ReportsStateAsFirstEdge", addReportsState},
	{"Add_FreshSocketIsSilentUntilMod", addIsSilentOnAFreshSocket},
	{"Add_ReportsWhatCameBefore", addReportsEarlierBytes},
	{"Edge_OnlyOnChange", edgeOnlyOnChange},
	{"Edge_EveryArrival", edgeEveryArrival},
	{"Token_ComesBackWhole", tokenComesBackWhole},
	{"Wait_FillsNoMoreThanAsked", waitFillsNoMore},
	{"Remove_DropsUndeliveredEvents", removeDropsEvents},
	{"Remove_ThenAddReportsNewToken", removeThenAdd},
	{"Reuse_OldTokenIsSilent", reuseOldTokenSilent},
	{"Wake_EndsWaitAndMerges", wakeMerges},
	{"Wake_FromOtherGoroutine", wakeFromOther},
	{"Wake_DoesNotHideEvents", wakeHidesNothing},

	{"Read_EmptyIsErrAgain", readEmpty},
	{"Read_FINAfterPendingBytes", readFIN},
	{"Read_ResetIsAnError", readReset},
	{"Write_FullIsErrAgainThenWritable", writeFull},
	{"Write_AfterPeerClosedFails", writeAfterPeerClosed},
	{"Write_AfterResetFails", writeAfterReset},
	{"Write_GoesOnAfterPeersFIN", writeAfterPeersFIN},
	{"Writev_KeepsOrderOverSlices", writevOrder},
	{"Writev_CutsInsideSlices", writevCuts},
	{"WriteMany_ToMany", manyToMany},
	{"WriteMany_FullGoneAndOpen", manyMixed},
	{"WriteMany_CutsAnywhere", manyCut},
	{"WriteMany_KeepsItsOrder", manyToOne},
	{"ShutdownWrite_FINAfterBytes", shutdownWrite},
	{"ShutdownWrite_WriteFails", shutdownThenWrite},
	{"Close_DeliversWhatWasWritten", closeDelivers},
	{"Failure_IsTakenOnce", failureOnce},
	{"Peer_IsKnownAfterAFailure", peerStaysKnown},
	{"Outstanding_EndsWhenAllIsRead", outstandingEnds},
	{"Stream_BothWaysByEdgesAlone", streamBothWays},
}
