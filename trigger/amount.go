package trigger

import (
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var decimalForm = regexp.MustCompile(`^[0-9]{1,18}(\.[0-9]{1,18})?$`)

// decimal reads digits with an optional fraction as so many units, rounded down to the nanosecond.
// Signs and exponents are not understood.
func decimal(text string, unit time.Duration) (time.Duration, bool) {
	if !decimalForm.MatchString(text) {
		return 0, false
	}
	value, ok := new(big.Rat).SetString(text)
	if !ok {
		return 0, false
	}
	value.Mul(value, new(big.Rat).SetInt64(int64(unit)))
	whole := new(big.Int).Quo(value.Num(), value.Denom())
	if !whole.IsInt64() {
		return 0, false
	}
	return time.Duration(whole.Int64()), true
}

// amount reads the field name as a number of units, given as a number or as its digits in a string.
func (o object) amount(name string, unit time.Duration) (time.Duration, error) {
	text, _, err := o.scalar(name)
	if err != nil {
		return 0, err
	}
	d, ok := decimal(strings.TrimSpace(text), unit)
	if !ok {
		return 0, o.refuse(name, "must be a number, 0 or more, of less than 292 years")
	}
	return d, nil
}

// duration reads the field name as seconds, or as a string such as "1h30m".
func (o object) duration(name string) (time.Duration, error) {
	text, number, err := o.scalar(name)
	if err != nil {
		return 0, err
	}
	if d, ok := decimal(text, time.Second); ok {
		return d, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || number {
		return 0, o.refuse(name, `must be a duration such as "30s", or a number of seconds`)
	}
	return d, nil
}

// count reads the field name as a whole number within [0, most]; an absent field is 0.
func (o object) count(name string, most int) (int, error) {
	if !o.has(name) {
		return 0, nil
	}
	text, _, err := o.scalar(name)
	if err != nil {
		return 0, err
	}
	n, ok := digits(strings.TrimSpace(text))
	if !ok || n > most {
		return 0, o.refuse(name, "must be a whole number from 0 to "+strconv.Itoa(most))
	}
	return n, nil
}

// digits reads plain decimal digits, no sign; what has more than nine is out of any range here.
func digits(text string) (int, bool) {
	if text == "" || len(text) > 9 {
		return 0, false
	}
	n := 0
	for i := range len(text) {
		c := text[i]
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

// sum adds durations that are not negative; false if the result does not fit.
func sum(a, b time.Duration) (time.Duration, bool) {
	if a > math.MaxInt64-b {
		return 0, false
	}
	return a + b, true
}
