package trigger

import "math/bits"

// daytime is the seconds of a day whose hour, minute and second are each in a set.
type daytime struct {
	hours, minutes, seconds bitset
}

// civilDays is a sequence of days.
type civilDays interface {
	// nextDay returns the first of them that is number or later.
	nextDay(number int64) (int64, bool)
}

// nextWall returns the first wall-clock second at or after wall whose day is among those given and
// whose time of day is in d.
func (d *daytime) nextWall(among civilDays, wall int64) (int64, bool) {
	number := floorDay(wall)
	found, ok := among.nextDay(number)
	if !ok {
		return 0, false
	}
	if found == number {
		if at := d.timeOfDay(int(wall - number*day)); at >= 0 {
			return found*day + int64(at), true
		}
		if found, ok = among.nextDay(number + 1); !ok {
			return 0, false
		}
	}
	return found*day + int64(d.timeOfDay(0)), true
}

// timeOfDay returns the first matching second of a day at or after second, or -1.
func (d *daytime) timeOfDay(second int) int {
	h, m, s := second/3600, second/60%60, second%60
	hour := d.hours.from(h)
	if hour < 0 {
		return -1
	}
	if hour > h {
		m, s = 0, 0
	}
	minute := d.minutes.from(m)
	if minute > m {
		s = 0
	}
	if minute == m {
		if at := d.seconds.from(s); at >= 0 {
			return hour*3600 + minute*60 + at
		}
		minute = d.minutes.from(m + 1)
	}
	if minute >= 0 {
		return hour*3600 + minute*60 + d.seconds.from(0)
	}
	if hour = d.hours.from(hour + 1); hour < 0 {
		return -1
	}
	return hour*3600 + d.minutes.from(0)*60 + d.seconds.from(0)
}

// size returns how many seconds of a day are in d.
func (d *daytime) size() int {
	return d.hours.size() * d.minutes.size() * d.seconds.size()
}

// rank returns how many seconds of a day before second are in d; second may be a whole day.
func (d *daytime) rank(second int) int {
	h, m, s := second/3600, second/60%60, second%60
	n := d.hours.below(h) * d.minutes.size() * d.seconds.size()
	if !d.hours.has(h) {
		return n
	}
	n += d.minutes.below(m) * d.seconds.size()
	if !d.minutes.has(m) {
		return n
	}
	return n + d.seconds.below(s)
}

// pick returns the second of the day that has n seconds of d before it; n is below size.
func (d *daytime) pick(n int) int {
	perMinute := d.seconds.size()
	perHour := d.minutes.size() * perMinute
	return d.hours.pick(n/perHour)*3600 + d.minutes.pick(n%perHour/perMinute)*60 + d.seconds.pick(n%perMinute)
}

func (b bitset) size() int { return bits.OnesCount64(uint64(b)) }

// below counts the members less than n.
func (b bitset) below(n int) int { return (b & (1<<uint(n) - 1)).size() }

// pick returns the member that has n smaller ones.
func (b bitset) pick(n int) int {
	for ; n > 0; n-- {
		b &= b - 1
	}
	return bits.TrailingZeros64(uint64(b))
}
