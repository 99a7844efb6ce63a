// Package proxy carries a plugin's request to a host outside the installation.
//
// It refuses every URL that has more than one reading, every host the plugin's
// manifest does not declare or no administrator approved, and every address that
// is not public. The address it judged is the address it dials: there is no
// second look-up in between. Credentials are added by the core and never shown to a
// plugin, not even where a host sends them back.
package proxy
