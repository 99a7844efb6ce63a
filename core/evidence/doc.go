// Package evidence holds an installation against the controls of the HIPAA
// Security Rule: what is configured, which records prove it, and what is missing.
//
// It says what is the case and where that is written, for an auditor to judge; it
// refuses to call anything compliant. What a control's status is follows from the
// facts by a table of checks alone, and what lies outside the core's sight is said
// to lie there. Looking changes nothing, and reads a bounded number of records.
package evidence
