// Package views draws the console: pages, and the partials htmx swaps, from
// plain props that the handlers fill.
//
// It fetches nothing, decides nothing and has no clock: what a person may not
// see is not in the props, and the present moment comes with the Reader. All
// text from outside is escaped, only addresses of this console become links, and
// nothing here accepts ready-made HTML.
//
// # Pages and bodies
//
// Each page comes twice from the same props: XPage(shell, x) is the whole
// document, XBody(x) the content of its main element. A request with HX-Request
// is answered with the body, any other with the page, both with Vary: HX-Request.
// Render with the context of WithReader.
//
// # Actions
//
// An Action is a form that posts and swaps the main element. Answer it with 303
// to the page it was asked from (HX-Current-URL, else Referer), so that it works
// with and without scripts; toasts follow the body of an htmx answer as Toasts,
// and stand in Shell.Toasts otherwise. Where that page is gone, answer htmx with
// HX-Redirect.
//
// An Action with Ask is a link whose answer is a dialog under htmx (ConfirmDialog,
// InviteDialog, KeyDialog) and a page of its own otherwise. A dialog that is
// refused is answered with 422 and itself again.
//
// Every other refusal of an htmx request is answered with ProblemToast and
// HX-Reswap: none, so the page stays as it is; without htmx, with ProblemPage.
//
// # Live parts
//
// PathLive sends OverviewLive and PathTail sends EventRows, each as an unnamed
// server-sent event. The Content-Security-Policy all of this is drawn for is
// ContentSecurityPolicy.
package views
