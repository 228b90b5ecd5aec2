package webhook_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/carillon-project/carillon/executor/webhook"
)

func TestAddressesThatAreClosed(t *testing.T) {
	tests := []struct{ name, addr, want string }{
		{"unspecified", "0.0.0.0", "unspecified"},
		{"this network", "0.1.2.3", "unspecified"},
		{"private 10", "10.255.0.1", "private"},
		{"private 172", "172.31.255.255", "private"},
		{"private 192", "192.168.1.1", "private"},
		{"carrier-grade NAT", "100.64.0.1", "CGNAT"},
		{"metadata in the CGNAT range", "100.100.100.200", "CGNAT"},
		{"loopback", "127.0.0.1", "loopback"},
		{"loopback, far end", "127.255.255.254", "loopback"},
		{"metadata", "169.254.169.254", "metadata"},
		{"link-local", "169.254.1.1", "link-local"},
		{"metadata on a public address", "168.63.129.16", "metadata"},
		{"metadata in the reserved block", "192.0.0.192", "reserved"},
		{"benchmarking", "198.19.0.1", "benchmarking"},
		{"documentation", "203.0.113.7", "documentation"},
		{"multicast", "239.1.2.3", "multicast"},
		{"reserved", "250.0.0.1", "reserved"},
		{"broadcast", "255.255.255.255", "reserved"},
		{"unspecified 6", "::", "unspecified"},
		{"loopback 6", "::1", "loopback"},
		{"link-local 6", "fe80::1", "link-local"},
		{"link-local 6 with a zone", "fe80::1%eth0", "link-local"},
		{"site-local", "fec0::1", "reserved"},
		{"unique local", "fd12::1", "private"},
		{"metadata 6", "fd00:ec2::254", "private"},
		{"multicast 6", "ff02::1", "multicast"},
		{"documentation 6", "2001:db8::1", "documentation"},
		{"new documentation 6", "3fff::1", "documentation"},
		{"Teredo", "2001:0:1::1", "reserved"},
		{"6to4 of loopback", "2002:7f00:1::1", "6to4"},
		{"IPv4-compatible loopback", "::127.0.0.1", "reserved"},
		{"IPv4-mapped loopback", "::ffff:127.0.0.1", "loopback"},
		{"IPv4-mapped metadata", "::ffff:169.254.169.254", "metadata"},
		{"IPv4-mapped private", "::ffff:10.0.0.1", "private"},
		{"IPv4-translated loopback", "::ffff:0:127.0.0.1", "reserved"},
		{"NAT64 of loopback", "64:ff9b::7f00:1", "loopback"},
		{"NAT64 of metadata", "64:ff9b::a9fe:a9fe", "metadata"},
		{"local NAT64", "64:ff9b:1::a00:1", "reserved"},
		{"segment routing", "5f00::1", "reserved"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := webhook.CheckAddress(netip.MustParseAddr(tt.addr))
			if !errors.Is(err, webhook.ErrAddressRefused) {
				t.Fatalf("check %s = %v, want ErrAddressRefused", tt.addr, err)
			}
			if !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "--allow-http-to") {
				t.Errorf("check %s = %q, want the reason %q and the remedy", tt.addr, err, tt.want)
			}
		})
	}
}

func TestAddressesThatAreOpen(t *testing.T) {
	tests := []struct {
		name, addr string
		allow      []string
	}{
		{"public", "93.184.215.14", nil},
		{"next to private 172", "172.32.0.1", nil},
		{"next to private 192", "192.169.0.1", nil},
		{"next to CGNAT", "100.128.0.1", nil},
		{"public 6", "2606:2800:21f::1", nil},
		{"public just above the reserved block", "2001:200::1", nil},
		{"IPv4-mapped public", "::ffff:93.184.215.14", nil},
		{"NAT64 of public", "64:ff9b::5db8:d70e", nil},
		{"allowed loopback", "127.0.0.1", []string{"127.0.0.0/8"}},
		{"allowed as IPv4, dialled as mapped", "::ffff:127.0.0.1", []string{"127.0.0.0/8"}},
		{"allowed as mapped, dialled as IPv4", "10.1.2.3", []string{"::ffff:10.0.0.0/104"}},
		{"allowed as IPv4, dialled through NAT64", "64:ff9b::a00:1", []string{"10.0.0.0/8"}},
		{"allowed with bits below the prefix", "10.9.9.9", []string{"10.1.2.3/8"}},
		{"allowed link-local 6 with a zone", "fe80::1%eth0", []string{"fe80::/10"}},
		{"second of two", "192.168.1.1", []string{"10.0.0.0/8", "192.168.1.1/32"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := webhook.CheckAddress(netip.MustParseAddr(tt.addr), prefixes(tt.allow)...); err != nil {
				t.Errorf("check %s, allowing %v = %v, want it open", tt.addr, tt.allow, err)
			}
		})
	}
}

func TestAllowOpensNothingElse(t *testing.T) {
	tests := []struct{ name, allow, addr string }{
		{"neighbour of one address", "10.0.0.1/32", "10.0.0.2"},
		{"metadata beside loopback", "127.0.0.0/8", "169.254.169.254"},
		{"all of IPv6 leaves IPv4 closed", "::/0", "127.0.0.1"},
		{"all of IPv4 leaves IPv6 closed", "0.0.0.0/0", "::1"},
		{"all of IPv6 leaves mapped IPv4 closed", "::/0", "::ffff:127.0.0.1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := webhook.CheckAddress(netip.MustParseAddr(tt.addr), netip.MustParsePrefix(tt.allow))
			if !errors.Is(err, webhook.ErrAddressRefused) {
				t.Errorf("check %s, allowing %s = %v, want ErrAddressRefused", tt.addr, tt.allow, err)
			}
		})
	}
}

func prefixes(texts []string) []netip.Prefix {
	var all []netip.Prefix
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}
