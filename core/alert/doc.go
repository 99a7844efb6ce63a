// Package alert tells people what the audit and the health of the installation
// say that they should know: it holds rules against every record, opens an alert
// when one is met, and tells the channels of the rule.
//
// It reads what is committed, behind a place of its own in every chain, so it
// slows nobody; what was recorded while it was away it reads afterwards. However
// many replicas run, an alert opens once: moving a place and opening what the
// records before it ask for share a transaction. Of one rule and one thing it is
// about, a single alert is active; what happens again counts towards it.
//
// It refuses to count its own records, to send a message in clear over a network,
// and to silence anything without a reason and an end.
//
// # Life of an alert
//
// Open, until a person acknowledges it with a note; resolved when its condition
// ends. A sticky one waits for a person even then: what must not pass unseen.
// Silencing keeps channels from being told; the alert stands in the console all
// the same, and its channels are told when it is still open as the silence ends.
package alert
