package invariant

import "testing"

func TestCheck_Holds(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { Check(t != nil, "holds") }); n != 0 {
		t.Errorf("Check allocates %v times", n)
	}
}

func TestCheck_BrokenPanicsWithMessage(t *testing.T) {
	defer func() {
		const want = "throng: broken invariant: rows only grow"
		if got := recover(); got != want {
			t.Errorf("recovered %v, want %q", got, want)
		}
	}()
	Check(len(t.Name()) == 0, "rows only grow")
	t.Error("Check returned")
}
