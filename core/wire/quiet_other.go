//go:build !unix

package wire

import "net"

// quiet believes the connection: here a closed one shows when it is written to.
func quiet(net.Conn) bool { return true }
