package settings

import (
	"time"

	"github.com/vivified/vivified/core/trait"
)

// The settings of the core. VIVIFIED_MASTER_KEY and VIVIFIED_MASTER_KEY_FILE are
// not among them: a master key is never kept, shown or layered.
const (
	Listen Key = iota
	PublicURL
	DataDir
	ConfigFile
	Replica
	DatabaseURL
	NATSURL
	NATSListen
	NATSCalloutSeed
	NATSSystemURL
	TLSCertFile
	TLSKeyFile
	TrustedProxies
	LogLevel
	MetricsToken
	SetupToken

	Organisation

	Registration
	AutoEnable
	PluginAddresses
	PluginNetworks
	PluginsOutlive
	PluginMemory
	PluginCPU
	PluginPIDs
	PluginStorage
	PluginLogBytes

	MarketplaceSignatures
	MarketplaceAllowPlugins
	MarketplaceAllowPublishers
	MarketplaceBlockPlugins
	MarketplaceBlockPublishers
	MarketplaceFolder

	EgressAutoApprove
	EgressAutoApprovePorts
	BlockedDomains
	DNS
	ProxyPrivateRanges
	ProxyCAFile

	LimitBodyBytes
	LimitProxyBytes
	LimitPluginRate
	LimitPluginInFlight
	OperatorTimeout
	OperatorTimeoutMax
	ProxyTimeout
	DrainTimeout

	HealthInterval
	HealthTimeout
	HealthThreshold
	HeartbeatTimeout
	UnhealthyAction

	SessionIdle
	SessionIdlePHI
	SessionAbsolute
	KeyLife

	SecondFactor
	SecondFactorGrace
	StepUp
	BreakGlassSession

	AuthLocalLogin
	AuthLocalLoginRescue
	SSOProvider

	EventRetention
	EventRetentionTypes
	EventMaxDeliver
	EventMaxAge

	ApprovalLife
	ApprovalOwnLastAdmin
	ApprovalFourEyes

	AuditHeadsInterval
	AuditHeadsBucket
	AuditHeadsWebhook
	AuditHeadsWebhookKey
	AuditGroupSize
	AuditKeepPHI
	AuditKeepPII
	AuditKeepConfidential
	AuditKeepSecurity
	AuditKeepOther
	AuditArchiveBucket
	AuditArchiveRegion
	AuditArchiveKey
	AuditArchiveSecret

	AlertWebhookURL
	AlertWebhookSecret
	AlertEmailTo
	AlertEmailFrom
	SMTPAddress
	SMTPSecurity
	SMTPUser
	SMTPPassword
	AlertCAFile

	PolicyFourEyes

	keyCount int = iota
)

const (
	manage   = trait.ConfigManager
	second   = int64(time.Second)
	minute   = int64(time.Minute)
	hour     = int64(time.Hour)
	aDay     = int64(day)
	sixYears = 2190 // days
	megabyte = 1 << 20
)

// declared is every setting. A name here is a name for ever: it is in files,
// scripts and histories.
var declared = [keyCount]Definition{
	Listen: {Name: "listen", Group: "Serving", Default: "127.0.0.1:8080", Class: trait.Internal, Restart: true, Reach: BeforeDatabase, See: manage, check: isListen,
		Description: "Address and port the core listens on."},
	PublicURL: {Name: "public_url", Group: "Serving", Class: trait.Public, Restart: true, See: trait.Viewer, check: isOrigin,
		Description: "Address people and plugins reach the core by, such as https://vivified.example; empty: the address it listens on."},
	DataDir: {Name: "data_dir", Group: "Serving", Default: "./var", Class: trait.Internal, Restart: true, Reach: BeforeDatabase, See: manage, check: isGiven,
		Description: "Directory below which the core keeps everything it has on disk."},
	ConfigFile: {Name: "config", Group: "Serving", Class: trait.Internal, Restart: true, Reach: EnvironmentOnly, See: manage,
		Description: "File with settings; empty: vivified.yaml in the data directory, if there is one."},
	Replica: {Name: "replica", Group: "Serving", Class: trait.Internal, Restart: true, Reach: BeforeDatabase, See: manage, check: isReplica,
		Description: "Name of this core among those that share the database; empty: the name of the host."},
	DatabaseURL: {Name: "database_url", Env: "DATABASE_URL", Group: "Serving", Class: trait.Confidential, Secret: true, Restart: true, Reach: BeforeDatabase, See: manage,
		Description: "PostgreSQL server to use, as its owner; empty: a private one in the data directory."},
	NATSURL: {Name: "nats_url", Env: "NATS_URL", Group: "Serving", Class: trait.Confidential, Secret: true, Restart: true, Reach: BeforeDatabase, See: manage,
		Description: "NATS server with JetStream to use; empty: one inside the core."},
	NATSListen: {Name: "nats_listen", Group: "Serving", Class: trait.Internal, Restart: true, Reach: BeforeDatabase, See: manage, check: isListenOrNone,
		Description: "Address and port at which plugins reach the bus inside the core, over TLS where a certificate is set; empty: they do not."},
	NATSCalloutSeed: {Name: "nats_callout_seed", Group: "Serving", Class: trait.Confidential, Secret: true, Restart: true, Reach: OperatorOnly, See: manage,
		Description: "Seed of the account key by which the core lets plugins onto an external NATS server, whose auth_callout has its public key as issuer."},
	NATSSystemURL: {Name: "nats_system_url", Group: "Serving", Class: trait.Confidential, Secret: true, Restart: true, Reach: OperatorOnly, See: manage,
		Description: "The external NATS server with a user of its system account: connections of a plugin that is disabled are closed at once."},
	TLSCertFile: {Name: "tls_cert_file", Group: "Serving", Class: trait.Internal, Restart: true, Reach: BeforeDatabase, See: manage,
		Description: "PEM file with the certificate chain to serve https with; empty: plain http, on loopback or behind a trusted proxy only."},
	TLSKeyFile: {Name: "tls_key_file", Group: "Serving", Class: trait.Internal, Restart: true, Reach: BeforeDatabase, See: manage,
		Description: "PEM file with the private key of the certificate."},
	TrustedProxies: {Name: "trusted_proxies", Group: "Serving", Type: TypeStrings, Class: trait.Internal, Restart: true, Reach: OperatorOnly, See: manage, check: arePrefixes,
		Description: "Addresses or networks of reverse proxies whose X-Forwarded headers are believed."},
	LogLevel: {Name: "log_level", Group: "Serving", Type: TypeEnum, Choices: []string{"debug", "info", "warn", "error"}, Default: "info", Class: trait.Internal, See: manage, Edit: manage,
		Description: "Least severe message that is logged."},
	MetricsToken: {Name: "metrics_token", Group: "Serving", Class: trait.Confidential, Secret: true, See: manage, Edit: manage, check: isToken,
		Description: "Bearer token that reads /metrics from elsewhere than loopback; empty: nothing does."},
	SetupToken: {Name: "setup_token", Group: "Serving", Class: trait.Confidential, Secret: true, Restart: true, Reach: OperatorOnly, See: manage, check: isToken,
		Description: "One-time token of the first run, for automation; empty: a random one is printed."},

	Organisation: {Name: "organisation", Group: "Console", Class: trait.Public, See: trait.Viewer, Edit: manage, check: isShort,
		Description: "Name of the organisation, shown in the console."},

	Registration: {Name: "registration", Group: "Plugins", Type: TypeEnum, Choices: []string{"token", "approval", "open"}, Default: "token", Class: trait.Internal, See: manage,
		Description: "Who may register a plugin: the holder of a token; anyone, until an administrator approves; or anyone at once (development)."},
	AutoEnable: {Name: "auto_enable", Group: "Plugins", Type: TypeBool, Default: "false", Class: trait.Internal, See: manage,
		Description: "Enable a plugin as soon as it registers, as far as its dependencies allow (development)."},
	PluginAddresses: {Name: "plugin_addresses", Group: "Plugins", Type: TypeJSON, Default: "{}", Class: trait.Internal, See: manage, check: isAddressMap,
		Description: "Where plugins are reached, whatever they say themselves: a JSON object from plugin id to base URL."},
	PluginNetworks: {Name: "plugin_networks", Group: "Plugins", Type: TypeStrings, Class: trait.Internal, Restart: true, Reach: OperatorOnly, See: manage, check: arePrefixes,
		Description: "Networks in which plugins may be reached; empty: loopback when the core listens there, else none."},
	PluginsOutlive: {Name: "plugins_outlive_core", Group: "Plugins", Type: TypeBool, Default: "true", Class: trait.Internal, Restart: true, Reach: OperatorOnly, See: manage,
		Description: "Let plugins that the core started run on while it is away; off stops them with it (development)."},
	PluginMemory: {Name: "plugin_memory", Group: "Plugins", Type: TypeInt, Min: 64, Max: 8192, Default: "256", Class: trait.Internal, See: trait.SystemMonitor, Edit: manage,
		Description: "Memory that a plugin the core starts may use where its manifest says nothing, in MiB."},
	PluginCPU: {Name: "plugin_cpu", Group: "Plugins", Type: TypeInt, Min: 100, Max: 8000, Default: "1000", Class: trait.Internal, See: trait.SystemMonitor, Edit: manage,
		Description: "Processor time that such a plugin may use, in thousandths of a core."},
	PluginPIDs: {Name: "plugin_processes", Group: "Plugins", Type: TypeInt, Min: 1, Max: 32768, Default: "128", Class: trait.Internal, See: trait.SystemMonitor, Edit: manage,
		Description: "Processes and threads that such a plugin may have."},
	PluginStorage: {Name: "plugin_storage", Group: "Plugins", Type: TypeInt, Min: 1, Max: 1 << 20, Default: "256", Class: trait.Internal, See: trait.SystemMonitor, Edit: manage,
		Description: "Size of the volume of such a plugin, in MiB."},
	PluginLogBytes: {Name: "plugin_log_bytes", Group: "Plugins", Type: TypeInt, Min: megabyte, Max: 1 << 30, Default: "10485760", Class: trait.Internal, Restart: true, See: trait.SystemMonitor, Edit: manage,
		Description: "How much of what each plugin writes to its output is kept, in bytes; the oldest goes."},

	MarketplaceSignatures: {Name: "marketplace_signatures", Group: "Marketplace", Type: TypeInt, Min: 0, Max: 10, Default: "0", Class: trait.Internal, See: manage, Edit: trait.Admin,
		Description: "How many different trusted keys must have signed a plugin before it may be installed or started; 0: none."},
	MarketplaceAllowPlugins: {Name: "marketplace_allow_plugins", Group: "Marketplace", Type: TypeStrings, Class: trait.Internal, See: manage, Edit: trait.Admin,
		Description: "Ids of the plugins that may be installed; empty: any."},
	MarketplaceAllowPublishers: {Name: "marketplace_allow_publishers", Group: "Marketplace", Type: TypeStrings, Class: trait.Internal, See: manage, Edit: trait.Admin,
		Description: "Publishers whose plugins may be installed; empty: any."},
	MarketplaceBlockPlugins: {Name: "marketplace_block_plugins", Group: "Marketplace", Type: TypeStrings, Class: trait.Internal, See: manage, Edit: trait.Admin,
		Description: "Ids of plugins, or digests of single bundles, that may not be installed."},
	MarketplaceBlockPublishers: {Name: "marketplace_block_publishers", Group: "Marketplace", Type: TypeStrings, Class: trait.Internal, See: manage, Edit: trait.Admin,
		Description: "Publishers whose plugins may not be installed."},
	MarketplaceFolder: {Name: "marketplace_folder", Group: "Marketplace", Class: trait.Internal, Restart: true, Reach: OperatorOnly, See: manage,
		Description: "Folder whose .vvplugin files are put on the shelf; empty: plugins in the data directory."},

	EgressAutoApprove: {Name: "egress_auto_approve", Group: "Egress", Type: TypeBool, Default: "false", Class: trait.Internal, Restart: true, Reach: OperatorOnly, See: manage,
		Description: "Approve the domains a plugin declares when it is enabled (development)."},
	EgressAutoApprovePorts: {Name: "egress_auto_approve_ports", Group: "Egress", Type: TypeStrings, Default: "80,443", Class: trait.Internal, Restart: true, Reach: OperatorOnly, See: manage, check: arePorts,
		Description: "Ports that automatic approvals cover."},
	BlockedDomains: {Name: "blocked_domains", Group: "Egress", Type: TypeStrings, Class: trait.Internal, See: trait.Viewer, Edit: trait.EgressApprover, check: areDomains,
		Description: "Host names that no plugin may declare or reach, nor anything below them."},
	DNS: {Name: "dns", Group: "Egress", Class: trait.Internal, Restart: true, Reach: OperatorOnly, See: manage, check: isResolver,
		Description: "Resolver of the proxy lane, as an address with or without port; empty: the machine's own."},
	ProxyPrivateRanges: {Name: "proxy_private_ranges", Group: "Egress", Type: TypeJSON, Default: "{}", Class: trait.Internal, Restart: true, Reach: OperatorOnly, See: manage, check: isRangeMap,
		Description: "Private networks the proxy lane may reach: a JSON object from domain to a list of networks."},
	ProxyCAFile: {Name: "proxy_ca_file", Group: "Egress", Class: trait.Internal, Restart: true, Reach: OperatorOnly, See: manage,
		Description: "PEM file with certificate authorities the proxy lane and single sign-on believe beside the machine's own."},

	LimitBodyBytes: {Name: "limit_body_bytes", Group: "Limits", Type: TypeInt, Min: 1024, Max: 1 << 30, Default: "10485760", Class: trait.Internal, Restart: true, See: manage, Edit: manage,
		Description: "Largest body of a request or an answer, in bytes."},
	LimitProxyBytes: {Name: "limit_proxy_bytes", Group: "Limits", Type: TypeInt, Min: 1024, Max: 1 << 30, Default: "10485760", Class: trait.Internal, Restart: true, See: manage, Edit: manage,
		Description: "Largest body through the proxy lane where the approval says nothing, in bytes, each way."},
	LimitPluginRate: {Name: "limit_plugin_rate", Group: "Limits", Type: TypeInt, Min: 1, Max: 1_000_000, Default: "1000", Class: trait.Internal, Restart: true, See: manage, Edit: manage,
		Description: "Requests a second of one plugin on one lane."},
	LimitPluginInFlight: {Name: "limit_plugin_in_flight", Group: "Limits", Type: TypeInt, Min: 1, Max: 10_000, Default: "64", Class: trait.Internal, Restart: true, See: manage, Edit: manage,
		Description: "Requests of one plugin on one lane that may be under way at a time."},
	OperatorTimeout: {Name: "operator_timeout", Group: "Limits", Type: TypeDuration, Min: second / 100, Max: hour, Default: "10s", Class: trait.Internal, Restart: true, See: manage, Edit: manage,
		Description: "How long a call waits for its answer where the endpoint says nothing."},
	OperatorTimeoutMax: {Name: "operator_timeout_max", Group: "Limits", Type: TypeDuration, Min: second, Max: hour, Default: "1m", Class: trait.Internal, Restart: true, See: manage, Edit: manage,
		Description: "How long a caller may ask a call to wait at most."},
	ProxyTimeout: {Name: "proxy_timeout", Group: "Limits", Type: TypeDuration, Min: second, Max: hour, Default: "30s", Class: trait.Internal, Restart: true, See: manage, Edit: manage,
		Description: "How long the proxy lane waits for an answer."},
	DrainTimeout: {Name: "drain_timeout", Group: "Limits", Type: TypeDuration, Max: 10 * minute, Default: "10s", Class: trait.Internal, Restart: true, See: manage, Edit: manage,
		Description: "How long the calls of a plugin that is being disabled may finish."},

	HealthInterval: {Name: "health_interval", Group: "Health", Type: TypeDuration, Min: second, Max: aDay, Default: "30s", Class: trait.Internal, Restart: true, See: trait.SystemMonitor, Edit: manage,
		Description: "Time between two health checks of a plugin that does not state its own."},
	HealthTimeout: {Name: "health_timeout", Group: "Health", Type: TypeDuration, Min: second / 10, Max: 5 * minute, Default: "5s", Class: trait.Internal, Restart: true, See: trait.SystemMonitor, Edit: manage,
		Description: "How long a health check waits for its answer."},
	HealthThreshold: {Name: "health_threshold", Group: "Health", Type: TypeInt, Min: 1, Max: 100, Default: "3", Class: trait.Internal, Restart: true, See: trait.SystemMonitor, Edit: manage,
		Description: "Failed checks in a row that make a plugin unhealthy."},
	HeartbeatTimeout: {Name: "heartbeat_timeout", Group: "Health", Type: TypeDuration, Min: second, Max: aDay, Default: "90s", Class: trait.Internal, Restart: true, See: trait.SystemMonitor, Edit: manage,
		Description: "Silence after which a missing heartbeat counts as a failed check."},
	UnhealthyAction: {Name: "unhealthy_action", Group: "Health", Type: TypeEnum, Choices: []string{"alert", "restart", "disable"}, Default: "restart", Class: trait.Internal, See: trait.SystemMonitor, Edit: manage,
		Description: "What becomes of an unhealthy plugin beside that people are told: nothing, a restart where the core runs it, or being disabled."},

	SessionIdle: {Name: "session_idle", Group: "Sessions", Type: TypeDuration, Min: minute, Max: 30 * aDay, Default: "1h", Class: trait.Internal, Restart: true, See: manage,
		Description: "Longest pause in a session."},
	SessionIdlePHI: {Name: "session_idle_phi", Group: "Sessions", Type: TypeDuration, Min: minute, Max: aDay, Default: "15m", Class: trait.Internal, Restart: true, See: manage,
		Description: "Longest pause in a session of somebody who may see protected health information."},
	SessionAbsolute: {Name: "session_absolute", Group: "Sessions", Type: TypeDuration, Min: minute, Max: 30 * aDay, Default: "12h", Class: trait.Internal, Restart: true, See: manage,
		Description: "Longest life of a session."},
	KeyLife: {Name: "api_key_life", Group: "Sessions", Type: TypeDuration, Min: aDay, Max: 1830 * aDay, Default: "366d", Class: trait.Internal, See: manage,
		Description: "How far ahead an API key may expire. Keys made before keep their end."},

	SecondFactor: {Name: "second_factor", Group: "Sign-in", Type: TypeEnum, Choices: []string{"nobody", "sensitive", "everybody"}, Default: "sensitive", Class: trait.Internal, See: manage, Edit: trait.Admin,
		Description: "Of whom a second factor is required: nobody, people with a sensitive trait, or everybody."},
	SecondFactorGrace: {Name: "second_factor_grace", Group: "Sign-in", Type: TypeDuration, Max: 90 * aDay, Default: "7d", Class: trait.Internal, See: manage, Edit: trait.Admin,
		Description: "How long somebody may go without the second factor that is required of them, from their first sign-in that lacked it."},
	StepUp: {Name: "step_up", Group: "Sign-in", Type: TypeDuration, Min: minute, Max: 12 * hour, Default: "10m", Class: trait.Internal, See: manage, Edit: trait.Admin,
		Description: "How long after signing in or confirming dangerous actions go through without asking again."},
	BreakGlassSession: {Name: "break_glass_session", Group: "Sign-in", Type: TypeDuration, Min: minute, Max: hour, Default: "1h", Class: trait.Internal, See: manage, Edit: trait.Admin,
		Description: "Longest life of a session of an account for emergencies."},

	AuthLocalLogin: {Name: "auth_local_login", Group: "Sign-in", Type: TypeBool, Default: "true", Class: trait.Internal, See: trait.UserManager, Edit: trait.Admin,
		Description: "Let people sign in with a password kept here; off leaves identity providers and the break-glass account."},
	AuthLocalLoginRescue: {Name: "auth_local_login_rescue", Group: "Sign-in", Type: TypeBool, Default: "false", Class: trait.Internal, Restart: true, Reach: OperatorOnly, See: trait.UserManager,
		Description: "Accept passwords whatever auth_local_login says: the way back in when the identity provider is away."},
	SSOProvider: {Name: "sso_provider", Group: "Sign-in", Class: trait.Confidential, Secret: true, Restart: true, Reach: OperatorOnly, See: manage,
		Description: "Identity provider to add at the start, unless there is one of its id: JSON as POST /admin/sso takes it."},

	EventRetention: {Name: "event_retention", Group: "Events", Type: TypeDuration, Min: hour, Max: 3650 * aDay, Default: "30d", Class: trait.Internal, Restart: true, See: trait.EventViewer, Edit: manage,
		Description: "How long events are kept for replay."},
	EventRetentionTypes: {Name: "event_retention_types", Group: "Events", Type: TypeJSON, Default: "{}", Class: trait.Internal, Restart: true, See: trait.EventViewer, Edit: manage, check: areRetentions,
		Description: `How long events of some types are kept, where it is not event_retention: a JSON object such as {"user.*": "90d"}; the longest name counts.`},
	EventMaxDeliver: {Name: "event_max_deliver", Group: "Events", Type: TypeInt, Min: 1, Max: 1000, Default: "20", Class: trait.Internal, Restart: true, See: trait.EventViewer, Edit: manage,
		Description: "Attempts to deliver an event before it becomes a dead letter."},
	EventMaxAge: {Name: "event_max_age", Group: "Events", Type: TypeDuration, Min: minute, Max: 30 * aDay, Default: "24h", Class: trait.Internal, Restart: true, See: trait.EventViewer, Edit: manage,
		Description: "Time after which an event that could not be delivered becomes a dead letter."},

	ApprovalLife: {Name: "approval_life", Group: "Approvals", Type: TypeDuration, Min: hour, Max: 365 * aDay, Default: "14d", Class: trait.Internal, See: trait.Viewer, Edit: trait.PolicyManager,
		Description: "How long a request waits for somebody's word before it is over."},
	ApprovalOwnLastAdmin: {Name: "approval_own_last_admin", Group: "Approvals", Type: TypeBool, Default: "true", Class: trait.Internal, See: trait.Viewer, TwoPeople: "false",
		Description: "Let the last administrator decide what they asked for themselves; nobody else ever does. Switching it on again takes two people."},
	ApprovalFourEyes: {Name: "approval_four_eyes", Group: "Approvals", Type: TypeBool, Default: "false", Class: trait.Internal, See: trait.Viewer, TwoPeople: "true",
		Description: "Whether two people give sensitive traits, egress, grants and wider manifests: one asks, another approves. Switching it off takes two people."},

	AuditHeadsInterval: {Name: "audit_heads_interval", Group: "Audit", Type: TypeDuration, Min: second, Max: minute, Default: "1m", Class: trait.Internal, Restart: true, See: trait.AuditViewer,
		Description: "Time between two signed heads of the audit chains."},
	AuditHeadsBucket: {Name: "audit_heads_bucket", Group: "Audit", Class: trait.Internal, Reach: OperatorOnly, Restart: true, See: trait.AuditViewer,
		Description: "S3 bucket that signed heads are copied to, such as https://s3.example.org/bucket/prefix; with the region and the key of the archive's bucket."},
	AuditHeadsWebhook: {Name: "audit_heads_webhook", Group: "Audit", Class: trait.Internal, Reach: OperatorOnly, Restart: true, See: trait.AuditViewer,
		Description: "Address that signed heads are posted to, such as https://auditor.example.org/heads."},
	AuditHeadsWebhookKey: {Name: "audit_heads_webhook_key", Group: "Audit", Class: trait.Confidential, Secret: true, Reach: OperatorOnly, Restart: true, See: trait.AuditViewer,
		Description: "Key that these messages are signed with, as Standard Webhooks has it: whsec_ and 24 to 64 bytes in base64."},
	AuditGroupSize: {Name: "audit_group_size", Group: "Audit", Type: TypeInt, Min: 1, Max: 10_000, Default: "1024", Class: trait.Internal, Restart: true, See: trait.AuditViewer,
		Description: "Most decisions that share one commit."},
	AuditKeepPHI: {Name: "audit_keep_phi", Group: "Audit", Type: TypeInt, Min: sixYears, Max: 36_500, Default: "2555", Class: trait.Internal, See: trait.AuditViewer, Edit: trait.Admin,
		Description: "Days that records about protected health information are kept; at least six years, 45 CFR 164.316(b)(2)(i)."},
	AuditKeepPII: {Name: "audit_keep_pii", Group: "Audit", Type: TypeInt, Min: 30, Max: 36_500, Default: "2190", Class: trait.Internal, See: trait.AuditViewer, Edit: trait.Admin,
		Description: "Days that records about personal data are kept."},
	AuditKeepConfidential: {Name: "audit_keep_confidential", Group: "Audit", Type: TypeInt, Min: 30, Max: 36_500, Default: "2190", Class: trait.Internal, See: trait.AuditViewer, Edit: trait.Admin,
		Description: "Days that records about confidential data are kept."},
	AuditKeepSecurity: {Name: "audit_keep_security", Group: "Audit", Type: TypeInt, Min: sixYears, Max: 36_500, Default: "2190", Class: trait.Internal, See: trait.AuditViewer, Edit: trait.Admin,
		Description: "Days that changes, refusals and sign-ins are kept; at least six years, 45 CFR 164.316(b)(2)(i)."},
	AuditKeepOther: {Name: "audit_keep_other", Group: "Audit", Type: TypeInt, Min: 30, Max: 36_500, Default: "2190", Class: trait.Internal, See: trait.AuditViewer, Edit: trait.Admin,
		Description: "Days that every other record is kept."},
	AuditArchiveBucket: {Name: "audit_archive_bucket", Group: "Audit", Class: trait.Internal, Reach: OperatorOnly, Restart: true, See: trait.AuditViewer,
		Description: "S3 bucket that records are archived to before they are purged, such as https://s3.example.org/bucket/prefix; empty: the folder archive in the data directory."},
	AuditArchiveRegion: {Name: "audit_archive_region", Group: "Audit", Class: trait.Internal, Reach: OperatorOnly, Restart: true, See: trait.AuditViewer,
		Description: "Region of the bucket; empty: us-east-1, which stores without regions expect."},
	AuditArchiveKey: {Name: "audit_archive_key", Group: "Audit", Class: trait.Confidential, Reach: OperatorOnly, Restart: true, See: trait.AuditViewer,
		Description: "Access key id for the bucket."},
	AuditArchiveSecret: {Name: "audit_archive_secret", Group: "Audit", Class: trait.Confidential, Secret: true, Reach: OperatorOnly, Restart: true, See: trait.AuditViewer,
		Description: "Secret access key for the bucket."},

	AlertWebhookURL: {Name: "alert_webhook_url", Group: "Alerts", Class: trait.Internal, See: trait.SystemMonitor, Edit: trait.Admin, check: isWebhook,
		Description: "URL that alerts are posted to as signed JSON; empty: none."},
	AlertWebhookSecret: {Name: "alert_webhook_secret", Group: "Alerts", Class: trait.Confidential, Secret: true, See: trait.SystemMonitor, Edit: trait.Admin, check: isSigningKey,
		Description: "Key that the signature of those posts is made with: whsec_ and the base64 of 24 to 64 random bytes."},
	AlertEmailTo: {Name: "alert_email_to", Group: "Alerts", Type: TypeStrings, Class: trait.Internal, See: trait.SystemMonitor, Edit: trait.Admin, check: areMailboxes,
		Description: "E-mail addresses that alerts go to; empty: none."},
	AlertEmailFrom: {Name: "alert_email_from", Group: "Alerts", Default: "vivified@localhost", Class: trait.Internal, See: trait.SystemMonitor, Edit: trait.Admin, check: isMailbox,
		Description: "E-mail address that alerts come from."},
	SMTPAddress: {Name: "smtp_address", Group: "Alerts", Class: trait.Internal, See: trait.SystemMonitor, Edit: trait.Admin, check: isMailServer,
		Description: "Mail server that messages are handed to where no plugin sends them, such as mail.example.org:587; empty: none."},
	SMTPSecurity: {Name: "smtp_security", Group: "Alerts", Type: TypeEnum, Choices: []string{"starttls", "tls", "none"}, Default: "starttls", Class: trait.Internal, See: trait.SystemMonitor, Edit: trait.Admin,
		Description: "How the connection to the mail server is protected; none is for one on this machine only."},
	SMTPUser: {Name: "smtp_user", Group: "Alerts", Class: trait.Internal, See: trait.SystemMonitor, Edit: trait.Admin, check: isShort,
		Description: "Name to sign in to the mail server with; empty: it asks for none."},
	SMTPPassword: {Name: "smtp_password", Group: "Alerts", Class: trait.Confidential, Secret: true, See: trait.SystemMonitor, Edit: trait.Admin,
		Description: "Password to sign in to the mail server with."},
	AlertCAFile: {Name: "alert_ca_file", Group: "Alerts", Class: trait.Internal, Restart: true, Reach: OperatorOnly, See: trait.SystemMonitor,
		Description: "PEM file with certificate authorities that alerts believe beside the machine's own."},

	PolicyFourEyes: {Name: "policy_four_eyes", Group: "Policy", Type: TypeBool, Default: "false", Class: trait.Internal, See: trait.PolicyManager, TwoPeople: "true",
		Description: "Whether a second person has to approve before rules are published. Switching it off takes two people."},
}
