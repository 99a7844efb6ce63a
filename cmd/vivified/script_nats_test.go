package main

import (
	"net"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rogpeppe/go-internal/testscript"
)

// harbour has the core of the script let plugins onto its bus: harbour.
func harbour(ts *testscript.TestScript, _ bool, _ []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Setenv("VIVIFIED_NATS_LISTEN", l.Addr().String())
	ts.Check(l.Close())
}

// onBus connects to the bus with the token in TOKEN and prints the answer to a
// request: onbus PLUGIN SUBJECT [BODY]. Negated, the bus must refuse the connection.
func onBus(ts *testscript.TestScript, refused bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: onbus PLUGIN SUBJECT [BODY]")
	}
	conn, err := nats.Connect("nats://"+ts.Getenv("VIVIFIED_NATS_LISTEN"), nats.Token(ts.Getenv("TOKEN")), nats.CustomInboxPrefix("out."+args[0]+".inbox"))
	if refused {
		if err == nil {
			conn.Close()
			ts.Fatalf("%s is on the bus", args[0])
		}
		return
	}
	ts.Check(err)
	defer conn.Close()
	body := ""
	if len(args) > 2 {
		body = args[2]
	}
	answer, err := conn.Request("in."+args[0]+"."+args[1], []byte(body), 30*time.Second)
	ts.Check(err)
	_, _ = ts.Stdout().Write(answer.Data)
}
