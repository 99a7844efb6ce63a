package trait

// The built-in traits. Their places never change: new ones go at the end.
const (
	Admin ID = iota
	Operator
	Developer
	Viewer

	PluginManager
	ConfigManager
	UserManager
	AuditViewer
	SystemMonitor
	PolicyManager
	EgressApprover
	EventViewer
	ModelSteward
	StorageViewer
	RuleEditor
	Approver
	CanViewUser
	AdminCapable

	HandlesPHI
	HandlesPII
	HandlesConfidential
	HandlesInternal
	HandlesPublic

	AuditRequired
	EncryptionRequired
	RequiresEncryption
	EncryptionCapable
	ExternalService
	NetworkIsolated

	HIPAACompliant
	GDPRCompliant
	SOC2Compliant

	CommunicationPlugin
	StoragePlugin
	IdentityPlugin
	IntegrationPlugin
	WorkflowPlugin
	InternalPlugin
	Notifications
	ProvidesUI
	UserData
	Cloud

	builtinCount int = iota
)

// The categories.
const (
	CategoryRole       = "role"
	CategoryCapability = "capability"
	CategoryData       = "data_access"
	CategorySecurity   = "security"
	CategoryCompliance = "compliance"
	CategoryPluginType = "plugin_type"
	CategoryCustom     = "custom"
)

// builtin is the whole registry as data. What a plugin must spell out beside a
// trait stands in Prerequisites; what a user is given along with it, in Implies.
var builtin = [builtinCount]Trait{
	Admin: {Name: "admin", Category: CategoryRole, Label: "Administrator", Icon: "shield-check", Assignable: ToUser, Sensitive: true,
		Description: "Runs the platform: every role and capability, but no access to people's data.",
		Implies: []ID{Operator, Developer, Viewer, PluginManager, ConfigManager, UserManager, AuditViewer, SystemMonitor, PolicyManager,
			EgressApprover, EventViewer, ModelSteward, StorageViewer, RuleEditor, Approver, CanViewUser, AdminCapable}},
	Operator: {Name: "operator", Category: CategoryRole, Label: "Operator", Icon: "wrench", Assignable: ToUser,
		Description: "Keeps the installation running day by day.", Implies: []ID{Viewer}},
	Developer: {Name: "developer", Category: CategoryRole, Label: "Developer", Icon: "code", Assignable: ToUser,
		Description: "Writes and tries out plugins.", Implies: []ID{Viewer}},
	Viewer: {Name: "viewer", Category: CategoryRole, Label: "Viewer", Icon: "eye", Assignable: ToUser,
		Description: "Looks, and changes nothing."},

	PluginManager: {Name: "plugin_manager", Category: CategoryCapability, Label: "Plugin manager", Icon: "puzzle", Assignable: ToUser, Sensitive: true,
		Description: "Installs, enables, disables and removes plugins."},
	ConfigManager: {Name: "config_manager", Category: CategoryCapability, Label: "Configuration manager", Icon: "settings", Assignable: ToUser, Sensitive: true,
		Description: "Changes settings of the core and of plugins."},
	UserManager: {Name: "user_manager", Category: CategoryCapability, Label: "User manager", Icon: "users", Assignable: ToUser, Sensitive: true,
		Description: "Creates users and grants them roles and traits."},
	AuditViewer: {Name: "audit_viewer", Category: CategoryCapability, Label: "Audit viewer", Icon: "scroll-text", Assignable: ToUser, Sensitive: true,
		Description: "Reads, verifies and exports the audit record."},
	SystemMonitor: {Name: "system_monitor", Category: CategoryCapability, Label: "System monitor", Icon: "activity", Assignable: ToUser,
		Description: "Sees the health of the system and the traffic of the lanes."},
	PolicyManager: {Name: "policy_manager", Category: CategoryCapability, Label: "Policy manager", Icon: "scale", Assignable: ToUser, Sensitive: true,
		Description: "Writes and publishes policy rules."},
	EgressApprover: {Name: "egress_approver", Category: CategoryCapability, Label: "Egress approver", Icon: "globe-lock", Assignable: ToUser, Sensitive: true,
		Description: "Approves which outside hosts a plugin may reach."},
	EventViewer: {Name: "event_viewer", Category: CategoryCapability, Label: "Event viewer", Icon: "radio", Assignable: ToUser,
		Description: "Watches events on the canonical lane, redacted to what the viewer's own traits cover."},
	ModelSteward: {Name: "model_steward", Category: CategoryCapability, Label: "Model steward", Icon: "shapes", Assignable: ToUser,
		Description: "Owns the canonical models, their versions and their classifications."},
	StorageViewer: {Name: "storage_viewer", Category: CategoryCapability, Label: "Storage viewer", Icon: "hard-drive", Assignable: ToUser,
		Description: "Lists stored objects and their retention."},
	RuleEditor: {Name: "rule_editor", Category: CategoryCapability, Label: "Rule editor", Icon: "workflow", Assignable: ToUser,
		Description: "Writes and enables automation rules."},
	Approver: {Name: "approver", Category: CategoryCapability, Label: "Approver", Icon: "badge-check", Assignable: ToUser, Sensitive: true,
		Description: "Answers requests that wait for a second person."},
	CanViewUser: {Name: "can_view_user", Category: CategoryCapability, Label: "View users", Icon: "user-search", Assignable: ToUser,
		Description: "Looks up other users' profiles."},
	AdminCapable: {Name: "admin_capable", Category: CategoryCapability, Label: "Admin capable", Icon: "user-cog", Assignable: ToUser,
		Description: "Reaches the administrative pages that plugins add to the console."},

	HandlesPHI: {Name: "handles_phi", Category: CategoryData, Label: "Handles PHI", Icon: "heart-pulse", Assignable: ToUser | ToPlugin, Sensitive: true,
		Description: "Works with protected health information (HIPAA).", Prerequisites: []ID{AuditRequired}, Implies: []ID{AuditRequired}},
	HandlesPII: {Name: "handles_pii", Category: CategoryData, Label: "Handles PII", Icon: "fingerprint", Assignable: ToUser | ToPlugin, Sensitive: true,
		Description: "Works with data that identifies a person.", Prerequisites: []ID{AuditRequired}, Implies: []ID{AuditRequired}},
	HandlesConfidential: {Name: "handles_confidential", Category: CategoryData, Label: "Handles confidential data", Icon: "lock", Assignable: ToUser | ToPlugin, Sensitive: true,
		Description: "Works with the organisation's confidential data."},
	HandlesInternal: {Name: "handles_internal", Category: CategoryData, Label: "Handles internal data", Icon: "building", Assignable: ToUser | ToPlugin,
		Description: "Works with data meant for the organisation itself."},
	HandlesPublic: {Name: "handles_public", Category: CategoryData, Label: "Handles public data", Icon: "globe", Assignable: ToUser | ToPlugin,
		Description: "Works with data anyone may see."},

	AuditRequired: {Name: "audit_required", Category: CategorySecurity, Label: "Audit required", Icon: "clipboard-list", Assignable: ToUser | ToPlugin | ToData,
		Description: "Everything it does is recorded; recording cannot be switched off."},
	EncryptionRequired: {Name: "encryption_required", Category: CategorySecurity, Label: "Encryption required", Icon: "lock-keyhole", Assignable: ToPlugin | ToData,
		Description: "What it stores is encrypted at rest."},
	RequiresEncryption: {Name: "requires_encryption", Category: CategorySecurity, Label: "Requires encryption", Icon: "key-round", Assignable: ToPlugin | ToData,
		Description: "Only callers that are encryption capable may use it."},
	EncryptionCapable: {Name: "encryption_capable", Category: CategorySecurity, Label: "Encryption capable", Icon: "key", Assignable: ToUser | ToPlugin,
		Description: "Can exchange encrypted data, and so use what requires encryption."},
	ExternalService: {Name: "external_service", Category: CategorySecurity, Label: "External service", Icon: "cloud-upload", Assignable: ToPlugin, Sensitive: true,
		Description: "Reaches approved hosts outside the installation through the proxy lane."},
	NetworkIsolated: {Name: "network_isolated", Category: CategorySecurity, Label: "Network isolated", Icon: "unplug", Assignable: ToPlugin,
		Description: "Reaches nothing but the core.", Conflicts: []ID{ExternalService}},

	HIPAACompliant: {Name: "hipaa_compliant", Category: CategoryCompliance, Label: "HIPAA compliant", Icon: "stethoscope", Assignable: ToPlugin,
		Description: "Built to the technical safeguards of 45 CFR 164.312.", Prerequisites: []ID{HandlesPHI, AuditRequired, EncryptionRequired}},
	GDPRCompliant: {Name: "gdpr_compliant", Category: CategoryCompliance, Label: "GDPR compliant", Icon: "user-check", Assignable: ToPlugin,
		Description: "Built to the duties of Regulation (EU) 2016/679.", Prerequisites: []ID{HandlesPII, AuditRequired}},
	SOC2Compliant: {Name: "soc2_compliant", Category: CategoryCompliance, Label: "SOC 2 compliant", Icon: "file-check", Assignable: ToPlugin,
		Description: "Built to the SOC 2 trust services criteria.", Prerequisites: []ID{AuditRequired, EncryptionRequired}},

	CommunicationPlugin: {Name: "communication_plugin", Category: CategoryPluginType, Label: "Communication", Icon: "message-square", Assignable: ToPlugin,
		Description: "Sends and receives messages."},
	StoragePlugin: {Name: "storage_plugin", Category: CategoryPluginType, Label: "Storage", Icon: "database", Assignable: ToPlugin,
		Description: "Keeps data for others."},
	IdentityPlugin: {Name: "identity_plugin", Category: CategoryPluginType, Label: "Identity", Icon: "id-card", Assignable: ToPlugin,
		Description: "Knows who people are."},
	IntegrationPlugin: {Name: "integration_plugin", Category: CategoryPluginType, Label: "Integration", Icon: "plug", Assignable: ToPlugin,
		Description: "Connects another system."},
	WorkflowPlugin: {Name: "workflow_plugin", Category: CategoryPluginType, Label: "Workflow", Icon: "git-branch", Assignable: ToPlugin,
		Description: "Runs steps in order."},
	InternalPlugin: {Name: "internal_plugin", Category: CategoryPluginType, Label: "Internal", Icon: "box", Assignable: ToPlugin,
		Description: "Serves other plugins only."},
	Notifications: {Name: "notifications", Category: CategoryPluginType, Label: "Notifications", Icon: "bell", Assignable: ToPlugin,
		Description: "Tells people what happened."},
	ProvidesUI: {Name: "provides_ui", Category: CategoryPluginType, Label: "Provides pages", Icon: "layout-dashboard", Assignable: ToPlugin,
		Description: "Adds pages to the console."},
	UserData: {Name: "user_data", Category: CategoryPluginType, Label: "User data", Icon: "user-round", Assignable: ToPlugin,
		Description: "Keeps data about users."},
	Cloud: {Name: "cloud", Category: CategoryPluginType, Label: "Cloud", Icon: "cloud", Assignable: ToPlugin,
		Description: "Works with a cloud provider."},
}

// alias is a name of an older document and the trait it means.
type alias struct {
	name string
	id   ID
}

// aliases are read everywhere and written nowhere.
var aliases = [...]alias{
	{"phi_handler", HandlesPHI},
	{"requires_phi", HandlesPHI},
	{"pii_processor", HandlesPII},
	{"can_receive_confidential", HandlesConfidential},
	{"external_api", ExternalService},
}

// dataAccess pairs each data-access trait with the class it opens.
var dataAccess = [...]struct {
	id    ID
	class Class
}{
	{HandlesPHI, PHI}, {HandlesPII, PII}, {HandlesConfidential, Confidential}, {HandlesInternal, Internal}, {HandlesPublic, Public},
}
