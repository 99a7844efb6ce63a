package handlers

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/views"
)

// frame says where in the console a page stands.
type frame struct {
	crumbs []views.Crumb // the last one is the page's title
	nav    string        // address of the page of the rail it belongs to
	live   bool          // parts of it update themselves
}

// at returns the frame of a page: its place in the rail, and the way to it as
// pairs of label and address.
func at(nav string, way ...string) frame {
	f := frame{nav: nav}
	for i := 0; i+1 < len(way); i += 2 {
		f.crumbs = append(f.crumbs, views.Crumb{Label: way[i], Href: way[i+1]})
	}
	return f
}

// isPart reports whether htmx asks for a part of a page: the body for #main, or
// a dialog. A request that replaces the whole document says so.
func isPart(r *http.Request) bool {
	return r.Header.Get("HX-Request") == "true" && r.Header.Get("HX-Request-Type") != "full" && r.Header.Get("HX-History-Restore-Request") == ""
}

// forDialog reports whether the answer is to be put into the place of dialogs.
func forDialog(r *http.Request) bool { return strings.HasSuffix(r.Header.Get("HX-Target"), "#vv-ask") }

// answer draws props as a page, or as the part of it that htmx asked for,
// followed by what there is to tell.
func answer[P any](c echo.Context, v *visit, status int, f frame, props P, page func(views.Shell, P) templ.Component, body func(P) templ.Component) error {
	toasts, mark := v.toasts(c), v.watermark(props)
	if isPart(c.Request()) {
		nameAddress(c)
		part := body(props)
		if mark != nil {
			part = templ.Join(views.WatermarkOver(*mark), part)
		}
		return draw(c, v, status, templ.Join(v.noted(c.Request().Context(), part), views.Toasts(toasts)))
	}
	shell := v.shell(c.Request().Context(), f)
	shell.Toasts, shell.Mark = toasts, mark
	return draw(c, v, status, page(shell, props))
}

// watermark is what lies over a page that shows protected health information: who
// really looks, and when. Other pages have none.
func (v *visit) watermark(props any) *views.Watermark {
	if shows, ok := props.(interface{ ShowsPHI() bool }); !ok || !shows.ShowsPHI() {
		return nil
	}
	name := v.who.Name
	if v.viewer != nil {
		name = v.viewer.Name + " as " + name
	}
	return &views.Watermark{Name: name, At: v.reader.Now}
}

// nameAddress has the browser show the address of what it was sent, also after
// an action that led elsewhere.
func nameAddress(c echo.Context) {
	r := c.Request()
	if r.Method != http.MethodGet || forDialog(r) {
		return
	}
	shown, err := url.Parse(r.Header.Get("HX-Current-URL"))
	if err == nil && shown.RequestURI() != r.URL.RequestURI() {
		c.Response().Header().Set("HX-Push-Url", r.URL.RequestURI())
	}
}

// ask draws a question: as a dialog for htmx, else as a page.
func ask(c echo.Context, v *visit, status int, f frame, q views.Confirm) error {
	f.crumbs = append(f.crumbs, views.Crumb{Label: q.Action.Label})
	return dialog(c, v, status, f, q, views.ConfirmPage, views.ConfirmDialog)
}

// dialog draws props as a dialog for htmx, else as a page.
func dialog[P any](c echo.Context, v *visit, status int, f frame, props P, page func(views.Shell, P) templ.Component, inPlace func(P) templ.Component) error {
	if isPart(c.Request()) {
		if !forDialog(c.Request()) && status != http.StatusUnprocessableEntity {
			c.Response().Header().Set("HX-Retarget", "#vv-ask")
			c.Response().Header().Set("HX-Reswap", "innerHTML")
		}
		return draw(c, v, status, inPlace(props))
	}
	return draw(c, v, status, page(v.shell(c.Request().Context(), f), props))
}

// draw renders into memory first, so that a template that fails is a clean error.
func draw(c echo.Context, v *visit, status int, what templ.Component) error {
	var page bytes.Buffer
	if err := v.render(c.Request().Context(), &page, what); err != nil {
		return err
	}
	h := c.Response().Header()
	h.Add("Vary", "HX-Request, HX-Request-Type, HX-Target")
	h.Set("Cache-Control", "no-store")
	return c.HTMLBlob(status, page.Bytes())
}
