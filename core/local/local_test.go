package local_test

import (
	"testing"

	"github.com/vivified/vivified/core/local"
)

func TestHost(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "127.0.0.1": true, "127.8.8.8": true, "::1": true, "::ffff:127.0.0.1": true,
		"": false, "LOCALHOST": false, "localhost.": false, "localhost.example.com": false, "a.localhost": false, "127.1": false, "0177.0.0.1": false,
		"2130706433": false, "0.0.0.0": false, "::": false, "[::1]": false, "10.0.0.1": false, "169.254.169.254": false, "127.0.0.1.example.com": false,
	} {
		if got := local.Host(host); got != want {
			t.Errorf("%q is this machine: %v, want %v", host, got, want)
		}
	}
}
