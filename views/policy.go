package views

// ContentSecurityPolicy is the policy the pages are drawn for: nothing inline,
// nothing from elsewhere, no eval. The icons are images to a browser, live parts
// and htmx need connect, and sign-out and every action are forms.
const ContentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
