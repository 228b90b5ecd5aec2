package webhook

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
)

// ErrAddressRefused is in the chain of the error of a delivery whose every address was closed.
var ErrAddressRefused = errors.New("address refused")

// closedRange is a range of addresses that is not reached unless allowed.
type closedRange struct {
	prefix netip.Prefix
	why    string
}

// closed4 lists what is not public in IPv4: the IANA special-purpose registry (RFC 6890 and its
// updates), multicast, and the one metadata address that lies outside of it.
var closed4 = []closedRange{
	{netip.MustParsePrefix("0.0.0.0/8"), "unspecified"},
	{netip.MustParsePrefix("10.0.0.0/8"), "private"},
	{netip.MustParsePrefix("100.64.0.0/10"), "shared (CGNAT)"},
	{netip.MustParsePrefix("127.0.0.0/8"), "loopback"},
	{netip.MustParsePrefix("168.63.129.16/32"), "cloud metadata"},
	{netip.MustParsePrefix("169.254.0.0/16"), "link-local and cloud metadata"},
	{netip.MustParsePrefix("172.16.0.0/12"), "private"},
	{netip.MustParsePrefix("192.0.0.0/24"), "reserved"},
	{netip.MustParsePrefix("192.0.2.0/24"), "documentation"},
	{netip.MustParsePrefix("192.88.99.0/24"), "reserved"},
	{netip.MustParsePrefix("192.168.0.0/16"), "private"},
	{netip.MustParsePrefix("198.18.0.0/15"), "benchmarking"},
	{netip.MustParsePrefix("198.51.100.0/24"), "documentation"},
	{netip.MustParsePrefix("203.0.113.0/24"), "documentation"},
	{netip.MustParsePrefix("224.0.0.0/4"), "multicast"},
	{netip.MustParsePrefix("240.0.0.0/4"), "reserved"},
}

// global6 is the only part of IPv6 in which public addresses are given out (RFC 4291).
var global6 = netip.MustParsePrefix("2000::/3")

// closed6 lists what inside global6 is not public: 2001::/23 holds Teredo, which embeds IPv4
// addresses as 6to4 does.
var closed6 = []closedRange{
	{netip.MustParsePrefix("2001::/23"), "reserved"},
	{netip.MustParsePrefix("2001:db8::/32"), "documentation"},
	{netip.MustParsePrefix("2002::/16"), "6to4"},
	{netip.MustParsePrefix("3fff::/20"), "documentation"},
}

// nat64 is the well-known prefix of RFC 6052: its last 32 bits are the IPv4 address that is reached.
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// addressPolicy says which addresses may be dialled: the public ones and those of allow.
type addressPolicy struct {
	allow []netip.Prefix
}

// newAddressPolicy takes the prefixes to open. An IPv4-mapped prefix is taken as the IPv4 prefix it
// stands for. The error names the prefix that is none.
func newAddressPolicy(allow []netip.Prefix) (addressPolicy, error) {
	opened := make([]netip.Prefix, 0, len(allow))
	for i, p := range allow {
		switch {
		case !p.IsValid():
			return addressPolicy{}, fmt.Errorf("allowed address range %d is not a valid prefix", i+1)
		case p.Addr().Is4In6() && p.Bits() < 96:
			return addressPolicy{}, fmt.Errorf("allowed address range %s: an IPv4-mapped prefix has at least 96 bits", p)
		case p.Addr().Is4In6():
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		opened = append(opened, p.Masked())
	}
	return addressPolicy{allow: opened}, nil
}

// control is a net.Dialer.Control: it runs after the name was resolved and before the connection.
func (p addressPolicy) control(_, address string, _ syscall.RawConn) error {
	dialled, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %q: %w", ErrAddressRefused, address, err)
	}
	return p.check(dialled.Addr())
}

// check returns nil if addr may be dialled, and else an ErrAddressRefused that says why not.
func (p addressPolicy) check(addr netip.Addr) error {
	addr = addr.Unmap().WithZone("")
	target := addr
	if nat64.Contains(addr) {
		raw := addr.As16()
		target = netip.AddrFrom4([4]byte(raw[12:]))
	}
	for _, open := range p.allow {
		if open.Contains(addr) || open.Contains(target) {
			return nil
		}
	}
	if why := closedBecause(target); why != "" {
		return fmt.Errorf("%w: %s is %s; --allow-http-to opens a range", ErrAddressRefused, addr, why)
	}
	return nil
}

// closedBecause names the kind of an address that is not public, and is empty for a public one.
func closedBecause(addr netip.Addr) string {
	ranges := closed6
	switch {
	case addr.Is4():
		ranges = closed4
	case addr.IsLoopback():
		return "loopback"
	case addr.IsUnspecified():
		return "unspecified"
	case addr.IsLinkLocalUnicast():
		return "link-local"
	case addr.IsPrivate():
		return "private"
	case addr.IsMulticast():
		return "multicast"
	case !global6.Contains(addr):
		return "reserved"
	}
	for _, r := range ranges {
		if r.prefix.Contains(addr) {
			return r.why
		}
	}
	return ""
}
