package bench

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// errRefused is the answer to text that a setting does not take; Set says what it takes.
var errRefused = errors.New("refused")

// wholeSetting is a whole number from low to high.
func wholeSetting(name, group, help, of string, field func(*Options) *int, low, high int) Setting {
	return Setting{Name: name, Group: group, Help: help, of: of, Accepts: fmt.Sprintf("%d to %s", low, number(float64(high))),
		set: func(o *Options, text string) error {
			n, err := strconv.Atoi(text)
			if err != nil || n < low || n > high {
				return errRefused
			}
			*field(o) = n
			return nil
		},
		text: func(o Options) string { return wholeText(*field(&o)) }}
}

func wholeText(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// sizeUnits are the suffixes of sizes.
var sizeUnits = []struct {
	suffix string
	bytes  int
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"B", 1}}

// sizeText is bytes in the greatest unit that divides them.
func sizeText(n int) string {
	text := fmt.Sprint(n)
	for _, u := range sizeUnits {
		if n%u.bytes == 0 && u.bytes > 1 {
			text = fmt.Sprint(n/u.bytes, u.suffix)
		}
	}
	return text
}

// sizeSetting is bytes from low to high.
func sizeSetting(name, group, help, of string, field func(*Options) *int, low, high int) Setting {
	s := wholeSetting(name, group, help, of, field, low, high)
	s.Accepts = fmt.Sprintf("%d to %s, in bytes, or as 4KiB", low, sizeText(high))
	plain := s.set
	s.set = func(o *Options, text string) error {
		for _, u := range sizeUnits {
			if digits, found := strings.CutSuffix(text, u.suffix); found {
				n, err := strconv.Atoi(digits)
				if err != nil || n > high {
					return errRefused
				}
				return plain(o, strconv.Itoa(n*u.bytes))
			}
		}
		return plain(o, text)
	}
	return s
}

// timeSetting is a time from low to timeMax.
func timeSetting(name, group, help, of string, field func(*Options) *time.Duration, low time.Duration) Setting {
	return Setting{Name: name, Group: group, Help: help, of: of, Accepts: fmt.Sprintf("%v to %s, such as 300ms, 20s or 1m30s", low, spanText(timeMax)),
		set: func(o *Options, text string) error {
			d, err := time.ParseDuration(text)
			if err != nil || d < low || d > timeMax {
				return errRefused
			}
			*field(o) = d
			return nil
		},
		text: func(o Options) string { return spanText(*field(&o)) }}
}

// settleSetting is the window of the rule for memory, which is otherwise rssSettled.
func settleSetting(name, group, help, of string) Setting {
	s := timeSetting(name, group, help, of, func(o *Options) *time.Duration { return &o.Settle.Window }, time.Millisecond)
	window := s.set
	s.set = func(o *Options, text string) error {
		if err := window(o, text); err != nil {
			return err
		}
		o.Settle.Change, o.Settle.Limit = rssSettled.Change, max(rssSettled.Limit, 2*o.Settle.Window)
		return nil
	}
	return s
}

// spanText is a time without the zeros that time.Duration adds.
func spanText(d time.Duration) string {
	if d == 0 {
		return ""
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// rateUnits are the suffixes of rates.
var rateUnits = []struct {
	suffix  string
	seconds float64
}{{"/s", 1}, {"/m", 60}, {"/h", 3600}}

// rateSetting is a number a second, above 0.
func rateSetting(name, group, help, of string, field func(*Options) *float64) Setting {
	return Setting{Name: name, Group: group, Help: help, of: of, Accepts: fmt.Sprintf("above 0, to %s/s; such as 500, 500/s or 30/m", number(rateMax)),
		set: func(o *Options, text string) error {
			seconds := 1.0
			for _, u := range rateUnits {
				if digits, found := strings.CutSuffix(text, u.suffix); found {
					text, seconds = digits, u.seconds
				}
			}
			n, err := strconv.ParseFloat(text, 64)
			if err != nil || !(n > 0 && n/seconds <= rateMax) {
				return errRefused
			}
			*field(o) = n / seconds
			return nil
		},
		text: func(o Options) string {
			if *field(&o) == 0 {
				return ""
			}
			return strconv.FormatFloat(*field(&o), 'g', -1, 64) + "/s"
		}}
}

// noQuota is Options.ServerCPU for a server without a control group, noQuotaWord how
// people write it.
const (
	noQuota     = -1
	noQuotaWord = "none"
)

// shareSetting is a number of processors, such as 0.25, or none.
func shareSetting(name, group, help, of string, field func(*Options) *float64) Setting {
	const low, high = 0.01, 64
	return Setting{Name: name, Group: group, Help: help, of: of, Accepts: fmt.Sprintf("%v to %v, or %s: no limit", low, high, noQuotaWord),
		set: func(o *Options, text string) error {
			if text == noQuotaWord {
				*field(o) = noQuota
				return nil
			}
			n, err := strconv.ParseFloat(text, 64)
			if err != nil || !(n >= low && n <= high) {
				return errRefused
			}
			*field(o) = n
			return nil
		},
		text: func(o Options) string {
			switch n := *field(&o); n {
			case 0:
				return ""
			case noQuota:
				return noQuotaWord
			default:
				return strconv.FormatFloat(n, 'g', -1, 64)
			}
		}}
}

// seedSetting is any number above 0.
func seedSetting(name, group, help, of string, field func(*Options) *uint64) Setting {
	return Setting{Name: name, Group: group, Help: help, of: of, Accepts: "1 or more",
		set: func(o *Options, text string) error {
			n, err := strconv.ParseUint(text, 10, 64)
			if err != nil || n == 0 {
				return errRefused
			}
			*field(o) = n
			return nil
		},
		text: func(o Options) string {
			if *field(&o) == 0 {
				return ""
			}
			return strconv.FormatUint(*field(&o), 10)
		}}
}

// choiceSetting is one of a few words.
func choiceSetting(name, group, help, of string, field func(*Options) *string, words ...string) Setting {
	s := textSetting(name, group, help, of, strings.Join(words, ", "), field)
	s.set = func(o *Options, text string) error {
		if !slices.Contains(words, text) {
			return errRefused
		}
		*field(o) = text
		return nil
	}
	return s
}

// textSetting is text that is not empty.
func textSetting(name, group, help, of, accepts string, field func(*Options) *string) Setting {
	return Setting{Name: name, Group: group, Help: help, of: of, Accepts: accepts,
		set: func(o *Options, text string) error {
			if text == "" {
				return errRefused
			}
			*field(o) = text
			return nil
		},
		text: func(o Options) string { return *field(&o) }}
}

// listSetting is text that may be given several times.
func listSetting(name, group, help, of, accepts string, field func(*Options) *[]string) Setting {
	return Setting{Name: name, Group: group, Help: help, of: of, Accepts: accepts, Repeats: true,
		set: func(o *Options, text string) error {
			if text == "" {
				return errRefused
			}
			*field(o) = append(*field(o), text)
			return nil
		},
		text: func(o Options) string { return strings.Join(*field(&o), ", ") }}
}
