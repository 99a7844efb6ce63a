// Package vivified lets a Go program be a Vivified plugin: it registers, keeps
// its token fresh, publishes and receives events, calls other plugins and the
// outside world through the core, and answers the calls the core brings it.
//
// It refuses every incoming call that the core did not sign for this plugin,
// this method and this path within the last seconds. It never talks to another
// plugin or to the outside directly, and it never logs tokens or payloads.
//
// A Plugin is made from its manifest, told what it answers and listens to, and
// run until its context ends. Main does all of it for a program that is one plugin:
//
//	vivified.Main(manifest, func(p *vivified.Plugin) {
//		p.HandleFunc("get_profile", getProfile)
//		p.OnEvent("user.created", welcome)
//	})
package vivified
