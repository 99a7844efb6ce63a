// Package views draws the console: pages, and the partials htmx swaps, from
// plain props that the handlers fill.
//
// Each page comes twice from the same props: XPage(shell, x) is the whole
// document, XBody(x) the content of its main element. A request with HX-Request
// is answered with the body alone, any other with the page, so every page works
// without scripts and under a Content-Security-Policy that allows none inline.
//
// It fetches nothing, decides nothing and has no clock: what a person may not
// see is not in the props, and the present moment comes with the Reader. All
// text from outside is escaped; nothing here accepts ready-made HTML.
package views
