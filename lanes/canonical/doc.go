// Package canonical is the lane of events: it takes what publishers say, stamps
// it, asks the gate, keeps it durably on JetStream, and brings it to each
// subscriber whole, redacted or not at all.
//
// It refuses undeclared event types, and it never delivers before the gate has
// spoken for that very receiver.
package canonical
