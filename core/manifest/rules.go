package manifest

import "strings"

// Rule is one row of the rule table.
type Rule struct {
	Code     string // stable; the row required.FIELD stands for every field
	Severity Severity
	Meaning  string // refused, or warned of, when
	Fix      string
}

// table lists every rule. Findings come in this order, so what keeps a document
// from being read at all stands first.
var table = [...]Rule{
	{"json.too_large", Error, "The document is larger than 256 KiB, or a YAML one unfolds to too much.", "Make the manifest smaller."},
	{"json.malformed", Error, "The document is not valid JSON or YAML in UTF-8.", "Correct the syntax at that place."},
	{"json.too_deep", Error, "The document is nested deeper than 32 levels.", "Flatten the document."},
	{"json.duplicate_key", Error, "A key stands twice in one object.", "Remove one of the two."},
	{"json.not_object", Error, "The document is not an object.", "Put the manifest's fields in one object: { … }."},
	{"required.FIELD", Error, "The required field is missing.", "Add the field."},
	{"type.FIELD", Error, "The field has the wrong JSON type; null is a wrong type.", "Give the field a value of the right type."},
	{"text.nul", Error, "A string holds the character U+0000, which cannot be stored.", "Remove the character."},

	{"id.format", Error, "The id is not of lower-case letters, digits and inner hyphens, at most 64 long (an isolate: reverse-DNS).", "Use an id such as user-management (an isolate: io.example.name)."},
	{"id.reserved", Error, "The id is reserved for the core.", "Choose another id."},
	{"name.empty", Error, "The name is blank.", "Give the plugin a name that people can read."},
	{"name.too_long", Error, "The name is longer than 120 characters.", "Shorten the name."},
	{"version.semver", Error, "The version is not SemVer 2.0.", "Use a version such as 1.4.0 or 2.0.0-beta.1, without a leading v."},
	{"description.too_long", Error, "The description is longer than 2,000 characters.", "Shorten the description."},
	{"plugin_type.unknown", Error, "An isolate's type is not connector, channel or operator.", "Use connector, channel or operator."},
	{"entrypoint.path", Error, "The entrypoint is not a relative file inside the bundle.", "Use a path such as ./index.ts."},

	{"contracts.unknown", Error, "A contract is not one of the five.", "Use CommunicationPlugin, StoragePlugin, IdentityPlugin, ProcessingPlugin or IntegrationPlugin."},
	{"traits.empty", Error, "No trait is declared.", "Declare at least one trait, such as audit_required."},
	{"traits.forbidden", Error, "A trait claims to stand above policy.", "Remove the trait; no plugin is given such power."},
	{"traits.not_assignable", Error, "A role or capability, which only users hold, is declared.", "Remove the trait; to ask it of users, put it in security.requires_traits."},
	{"traits.phi_needs_class", Error, "handles_phi is declared without the class phi.", "Add phi to security.data_classification."},
	{"traits.pii_needs_class", Error, "handles_pii is declared without the class pii.", "Add pii to security.data_classification."},
	{"class.phi_needs_trait", Error, "The class phi is declared without handles_phi.", "Add the trait handles_phi and what it needs, or remove the class."},
	{"class.pii_needs_trait", Error, "The class pii is declared without handles_pii.", "Add the trait handles_pii and what it needs, or remove the class."},
	{"traits.pii_needs_audit", Error, "handles_pii or handles_phi is declared without audit_required.", "Add the trait audit_required."},
	{"traits.phi_needs_hipaa", Error, "handles_phi is declared without a HIPAA control.", "List the controls in compliance.hipaa_controls, such as 164.312(a)."},
	{"traits.external_needs_domains", Error, "external_service is declared without a domain.", "List the hosts in allowed_domains, or remove the trait."},
	{"traits.prerequisite", Error, "A trait is declared without one it needs.", "Declare the missing trait as well."},
	{"traits.conflict", Error, "Two traits exclude each other.", "Keep one of the two."},

	{"security.authentication_required", Error, "Authentication is not required.", "Set security.authentication_required to true."},
	{"security.data_classification.missing", Error, "No data classification is given.", "Add security.data_classification, such as [\"internal\"]."},
	{"security.data_classification.empty", Error, "The data classification is empty.", "Name at least one class, such as internal."},
	{"security.data_classification.unknown", Error, "A data classification is not known.", "Use public, internal, confidential, pii or phi."},
	{"compliance.hipaa_controls.missing", Error, "compliance has no hipaa_controls.", "Add hipaa_controls; the list may be empty where no PHI is handled."},
	{"compliance.hipaa_controls.format", Error, "A HIPAA control is not written as in 45 CFR.", "Write controls such as 164.312(a)(1) or 164.312(a)(2)(iv)."},
	{"compliance.audit_level.missing", Error, "compliance has no audit_level.", "Add audit_level: none, basic, detailed or complete."},
	{"compliance.audit_level.unknown", Error, "The audit level is not known.", "Use none, basic, detailed or complete."},
	{"compliance.audit_level.too_low", Error, "The audit level is none with audit_required, PII or PHI, or basic with PHI.", "Use detailed or complete."},
	{"compliance.data_retention_days.min", Error, "PHI is kept for less than seven years, or the number is negative.", "Use 2555 or more, or leave the field out."},
	{"compliance.data_retention_days.max", Error, "The retention is longer than 1,000,000 days.", "Use a smaller number."},

	{"domain.no_wildcard", Error, "A domain holds a wildcard.", "List every host by its full name."},
	{"domain.blocked", Error, "A domain is on the blocked list.", "Remove it; a plugin never reaches the installation's own hosts or metadata services."},
	{"domain.private_ip", Error, "A domain is an IP address.", "Use a host name."},
	{"domain.format", Error, "A domain is not an exact host name.", "Use a full host name such as api.example.com: no scheme, port, path, or trailing dot."},
	{"domain.suspicious", Error, "A domain ends in .onion, .bit, .internal or .local.", "Use a public host name."},

	{"endpoints.name", Error, "An endpoint's name is malformed.", "Begin with a letter; use letters, digits, dots and underscores, at most 64."},
	{"endpoints.path", Error, "An endpoint's path is not a plain local path.", "Use a path such as /api/users/{id}."},
	{"endpoints.method", Error, "An endpoint's method is not known.", "Use GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS."},
	{"endpoints.data_classification", Error, "An endpoint's data classification is not known.", "Use public, internal, confidential, pii or phi."},
	{"endpoints.schema", Error, "An endpoint's schema does not compile.", "Correct the JSON Schema; references may only point into itself."},
	{"endpoints.timeout", Error, "An endpoint's time-out is not between 1 ms and 1 hour.", "Give seconds, such as 10, or a duration such as \"1m30s\"."},
	{"dependencies.format", Error, "A dependency is neither a plugin id nor a contract, or its version range is malformed.", "Use an id, a contract's name, or {\"id\": …, \"version\": \"^1.2\"}."},
	{"dependencies.circular", Error, "Plugins depend on each other in a circle, or one on itself.", "Break the circle."},
	{"dependencies.missing", Error, "A dependency is not active.", "Install and enable the dependency first."},
	{"events.type", Error, "An event type is malformed.", "Use dotted names such as user.created; subscriptions may end in .*."},
	{"events.format", Error, "The form of delivered events is not known.", "Use structured, binary or batch."},
	{"events.delivery", Error, "The delivery is neither webhook nor stream.", "Use webhook or stream."},
	{"events.path", Error, "The path for events is not a plain local path.", "Use a path such as /events."},
	{"events.data_classification", Error, "An event's classification is not known.", "Use public, internal, confidential, pii or phi."},
	{"events.schema", Error, "An event's schema does not compile.", "Correct the JSON Schema; references may only point into itself."},
	{"transformers.invalid", Error, "A transformer is incomplete, or its jq program does not compile.", "Give name, from, to and a pure jq expression."},
	{"config_schema.invalid", Error, "The configuration schema does not compile.", "Correct the JSON Schema; references may only point into itself."},
	{"hooks.path", Error, "A hook is not a plain local path.", "Use a path such as /hooks/init."},
	{"ui.path", Error, "A page's path is not a plain local path.", "Use a path such as /settings."},
	{"health_check.type", Error, "The type of health check is not known.", "Use http, tcp or custom."},
	{"health_check.port", Error, "The port is not between 1 and 65535.", "Use the port the plugin listens on."},
	{"health_check.path", Error, "The path is not a plain local path.", "Use a path such as /health."},
	{"health_check.interval", Error, "The interval is not between 1 second and 24 hours.", "Give seconds, such as 30, or a duration such as \"1m\"."},
	{"health_check.timeout", Error, "The time-out is not between 1 ms and 1 hour.", "Give seconds, such as 5, or a duration such as \"500ms\"."},
	{"health_check.threshold", Error, "The threshold is not between 1 and 100.", "Use a small number such as 3."},
	{"resources.memory_limit.number", Error, "The memory limit is not a number.", "Give a number of MiB, such as 512."},
	{"resources.memory_limit.min", Error, "The memory limit is below 64 MiB.", "Use 64 or more."},
	{"resources.memory_limit.max", Error, "The memory limit is above 8192 MiB.", "Use 8192 or less."},
	{"resources.cpu_limit.number", Error, "The CPU limit is not a number.", "Give a number of cores, such as 0.5."},
	{"resources.cpu_limit.min", Error, "The CPU limit is below 0.1 core.", "Use 0.1 or more."},
	{"resources.cpu_limit.max", Error, "The CPU limit is above 8 cores.", "Use 8 or less."},
	{"resources.pids_limit.range", Error, "The limit of processes is not a whole number between 1 and 32768.", "Use a number such as 128."},
	{"resources.storage_quota.range", Error, "The storage quota is not between 1 and 1048576 MiB.", "Give a number of MiB, such as 1024."},
	{"runtime.invalid", Error, "The runtime is malformed, has an unknown member, or names an image without the digest that policy wants.", "See the fields of runtime; pin images as name@sha256:…."},
	{"permission.unknown", Error, "A permission is not known.", "Use the permissions that the manifest reference lists."},
	{"permission.agent_only", Error, "A permission is for the desktop agent and cannot be given inside the core.", "Remove the permission."},
	{"limit.items", Error, "A list or a schema is larger than anything real needs.", "Make it smaller."},

	{"field.unknown", Warning, "A field is not known and is ignored.", "Check its spelling; names are case-sensitive."},
	{"traits.unknown", Warning, "A trait is not known and grants nothing.", "Check its spelling, or ask an administrator to add it."},
	{"traits.duplicate", Warning, "A trait is declared twice.", "Remove one of the two."},
	{"traits.alias", Warning, "A trait has its old name.", "Use the new name."},
	{"contracts.endpoint_missing", Warning, "A contract's operation is not among the endpoints.", "Declare the endpoint."},
	{"compliance.data_retention_days.default", Warning, "PHI without a stated retention is kept for 2,555 days.", "State data_retention_days."},
	{"category.unknown", Warning, "The category is not known; the marketplace shows none.", "Use storage, communication, identity, processing or integration."},
	{"homepage.url", Warning, "The homepage is not an http or https address and is not linked.", "Use an address such as https://example.com."},
}

// Rules returns the rule table, in the order findings come. The slice is the caller's own.
func Rules() []Rule { return append([]Rule(nil), table[:]...) }

// rank returns the place of a rule in the table.
func rank(code string) int {
	for i := range table {
		if table[i].Code == code {
			return i
		}
	}
	for i := range table {
		if family, ok := strings.CutSuffix(table[i].Code, "FIELD"); ok && strings.HasPrefix(code, family) {
			return i
		}
	}
	return len(table)
}

// ruleOf returns the row of a rule; one outside the table refuses.
func ruleOf(code string) Rule {
	if i := rank(code); i < len(table) {
		return table[i]
	}
	return Rule{Code: code, Severity: Error}
}
