package handlers

// SafeNext and Compare are for fuzzing.
var (
	SafeNext = safeNext
	Compare  = changes
)
