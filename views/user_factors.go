package views

import "time"

// UserFactors are the second factors of a person, as those see who manage people.
type UserFactors struct {
	Since    time.Time // since when an authenticator app is set up; zero: none
	Passkeys []PasskeyRow
	Codes    int // recovery codes left
	Required bool
	Due      time.Time // when one is required; zero: no sign-in has lacked it yet
	Reset    *Action   // Ask; nil: there is nothing to reset
}
