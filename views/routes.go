package views

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/a-h/templ"
)

// The console's addresses. Handlers register these and templates link to them.
const (
	PathSignIn      = "/sign-in"
	PathSignOut     = "/sign-out" // POST
	PathSecondStep  = "/sign-in/second-step"
	PathEmergency   = "/sign-in/emergency"
	PathSetup       = "/setup"
	PathInvite      = "/invite"
	PathOverview    = "/console"
	PathLive        = "/console/live" // SSE
	PathPlugins     = "/console/plugins"
	PathLanes       = "/console/lanes" // with /live, SSE
	PathEvents      = "/console/events"
	PathTail        = "/console/events/stream" // SSE
	PathAudit       = "/console/audit"
	PathAuditTail   = "/console/audit/stream" // SSE
	PathVerify      = "/console/audit/verify" // POST
	PathExport      = "/console/audit/export"
	PathProof       = "/console/audit/proof"
	PathForwarding  = "/console/audit/forwarding"
	PathEvidence    = "/console/evidence"
	PathRetention   = "/console/audit/retention"
	PathDecisions   = "/console/decisions"
	PathUsers       = "/console/users"
	PathUserInvite  = "/console/users/invite"
	PathViewStop    = "/console/view-as/stop" // POST
	PathAccount     = "/console/account"
	PathPalette     = "/console/palette"
	PathViews       = "/console/views" // POST, with /{id}/remove
	PathApprovals   = "/console/approvals"
	PathEgress      = "/console/egress"
	PathCredentials = "/console/egress/credentials"
	PathSSO         = "/console/sso"
	PathRoles       = "/console/roles" // with /grant and /traits/{trait}
	PathOIDC        = "/auth/oidc"
	PathIdentities  = "/console/account/identities"
)

// Paths of proving oneself, below the console.
const (
	PathStepUp     = "/console/step-up"              // POST
	PathFactors    = PathAccount + "/factors"        // what must be set up first
	PathTOTP       = PathFactors + "/totp"           // with /code.svg, /confirm, /remove
	PathPasskeys   = PathFactors + "/passkeys"       // with /new, /{id}/rename and /{id}/remove
	PathRecovery   = PathFactors + "/recovery-codes" // POST makes new ones
	PathSession    = "/console/session"              // how long the session goes on, for the script
	PathBreakGlass = "/console/break-glass"          // with /new and /{session}/acknowledge
)

// PathEvidencePack answers a ZIP file.
const PathEvidencePack = PathEvidence + "/pack"

// BreakGlassPath returns the address below one use of an account for emergencies.
func BreakGlassPath(id string, below ...string) string { return join(PathBreakGlass, id, below) }

// PasskeyPath returns the address below one of the person's own passkeys.
func PasskeyPath(id string, below ...string) string { return join(PathPasskeys, id, below) }

// Paths below the sign-in page, all POST.
const (
	PathSignInChallenge = PathSignIn + "/passkey/challenge" // answers JSON, for the script
	PathSignInPasskey   = PathSignIn + "/passkey"
)

// Paths below the account, all POST.
const (
	PathProfile     = PathAccount + "/profile"
	PathPassword    = PathAccount + "/password"
	PathPreferences = PathAccount + "/preferences"
	PathSessions    = PathAccount + "/sessions" // with /{id}/revoke and /revoke-others
	PathKeys        = PathAccount + "/keys"     // with /{id}/revoke
)

// PluginPath returns the address of a plugin's page, or of what is below it:
// PluginPath("fax", "activity") is /console/plugins/fax/activity.
func PluginPath(id string, below ...string) string { return join(PathPlugins, id, below) }

// UserPath returns the address of a user's page, or of what is below it.
func UserPath(id string, below ...string) string { return join(PathUsers, id, below) }

// TraitPath returns the address of a trait's page, or of what is below it.
func TraitPath(name string, below ...string) string { return join(PathRoles+"/traits", name, below) }

// SSOPath returns the address of an identity provider's page, or of what is below it.
func SSOPath(id string, below ...string) string { return join(PathSSO, id, below) }

// OIDCPath returns an address that leads to a provider.
func OIDCPath(id string, below ...string) string { return join(PathOIDC, id, below) }

// EventPath returns the address of an event.
func EventPath(id string) string { return join(PathEvents, id, nil) }

// DecisionPath returns the address of a decision, or of what is below it.
func DecisionPath(id string, below ...string) string { return join(PathDecisions, id, below) }

// ApprovalPath returns the address of a request, or of what is below it.
func ApprovalPath(id string, below ...string) string { return join(PathApprovals, id, below) }

// SessionPath returns the address below one of the person's own sessions.
func SessionPath(id string, below ...string) string { return join(PathSessions, id, below) }

// KeyPath returns the address below one of the person's own API keys.
func KeyPath(id string, below ...string) string { return join(PathKeys, id, below) }

// SinkPath returns the address of a sink of the audit, or of what is below it.
func SinkPath(id string, below ...string) string { return join(PathForwarding, id, below) }

// RecordPath returns the address of an audit record.
func RecordPath(chain string, seq int64) string {
	return PathAudit + "/" + url.PathEscape(ChainSegment(chain)) + "/" + strconv.FormatInt(seq, 10)
}

// ChainSegment writes a chain's name as one path segment: lane/core-1 becomes
// lane~core-1, because an encoded slash is refused in a path.
func ChainSegment(chain string) string { return strings.ReplaceAll(chain, "/", "~") }

// ChainOfSegment is the reverse of ChainSegment.
func ChainOfSegment(segment string) string { return strings.ReplaceAll(segment, "~", "/") }

func join(base, id string, below []string) string {
	path := base + "/" + url.PathEscape(id)
	for _, b := range below {
		path += "/" + url.PathEscape(b)
	}
	return path
}

// with returns path with a query, without a question mark when the query is empty.
func with(path string, query url.Values) string {
	if len(query) == 0 {
		return path
	}
	return path + "?" + query.Encode()
}

// at lets only addresses of this console into a link: a path, a query or a
// fragment. Everything else, such as another scheme or host, becomes "#".
func at(href string) templ.SafeURL {
	if strings.ContainsFunc(href, func(c rune) bool { return c < ' ' || c == '\\' || c == 0x7f }) {
		return "#"
	}
	switch {
	case strings.HasPrefix(href, "//"):
		return "#"
	case strings.HasPrefix(href, "/"), strings.HasPrefix(href, "?"), strings.HasPrefix(href, "#"):
		return templ.SafeURL(href)
	}
	return "#"
}

// RetentionPath returns the address of what is below the page of the audit's retention.
func RetentionPath(below ...string) string { return join(PathRetention, below[0], below[1:]) }
