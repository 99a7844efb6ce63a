package canonical

import (
	"context"
	"encoding/json"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// ticket is what it takes to settle one delivery on the bus. It is small: where
// many deliveries wait for an answer, tickets wait, not the events.
type ticket struct {
	reply    string
	sequence uint64 // of the event in its stream
}

func ticketOf(msg jetstream.Msg) ticket {
	t := ticket{reply: msg.Reply()}
	if md, err := msg.Metadata(); err == nil {
		t.sequence = md.Sequence.Stream
	}
	return t
}

// done tells the bus that the delivery is over, and waits until it knows.
func (l *Lane) done(ctx context.Context, t ticket) error {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	_, err := l.Bus.Conn.RequestWithContext(ctx, t.reply, []byte("+ACK"))
	return err
}

// doneSoon tells the bus that the delivery is over. Should that get lost, the
// event comes again.
func (l *Lane) doneSoon(t ticket) { _ = l.Bus.Conn.Publish(t.reply, []byte("+ACK")) }

// again gives the delivery back, to be tried after a while.
func (l *Lane) again(t ticket, after time.Duration) error {
	word := []byte("-NAK")
	if after > 0 {
		delay, _ := json.Marshal(map[string]int64{"delay": after.Nanoseconds()})
		word = append(append(word, ' '), delay...)
	}
	return l.Bus.Conn.Publish(t.reply, word)
}

// drop tells the bus that the event is not to come again.
func (l *Lane) drop(t ticket, reason string) error {
	return l.Bus.Conn.Publish(t.reply, []byte("+TERM "+reason))
}

// working tells the bus that the delivery still goes on.
func (l *Lane) working(t ticket) { _ = l.Bus.Conn.Publish(t.reply, []byte("+WPI")) }
