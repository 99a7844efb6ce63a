package identity

// ParseInvitee is for fuzzing.
var ParseInvitee = parseInvitee
