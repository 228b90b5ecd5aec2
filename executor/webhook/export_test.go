package webhook

import "net/netip"

// CheckAddress is the decision of the dialer's address check, for tables of addresses that no test
// can dial.
func CheckAddress(addr netip.Addr, allow ...netip.Prefix) error {
	policy, err := newAddressPolicy(allow)
	if err != nil {
		return err
	}
	return policy.check(addr)
}
