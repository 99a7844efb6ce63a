package handlers

import (
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/rulebook"
)

// publishPolicy handles POST /admin/policies/publish: 201 with the version, or
// 202 with what waits for a second person.
func (s *Server) publishPolicy(c echo.Context) error {
	var in struct {
		Revision int64  `json:"revision"`
		Comment  string `json:"comment"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	out, err := s.Rules.Publish(c.Request().Context(), in.Revision, in.Comment)
	return afterPublishing(c, out, err)
}

func afterPublishing(c echo.Context, out rulebook.Outcome, err error) error {
	switch {
	case err != nil:
		return err
	case out.Version == nil:
		return noStore(c, http.StatusAccepted, out)
	}
	return noStore(c, http.StatusCreated, out)
}

// versionView is a version in a list, without its text.
type versionView struct {
	Version      int64     `json:"version"`
	Digest       string    `json:"sha256"`
	Comment      string    `json:"comment"`
	Restored     *int64    `json:"restored,omitempty"`
	Author       string    `json:"author"`
	AuthorName   string    `json:"author_name"`
	Approver     string    `json:"approver,omitempty"`
	ApproverName string    `json:"approver_name,omitempty"`
	PublishedAt  time.Time `json:"published_at"`
	Tests        int       `json:"tests"`
}

// listPolicyVersions handles GET /admin/policies/versions.
func (s *Server) listPolicyVersions(c echo.Context) error {
	limit, err := pageSize(c, 50, 200)
	if err != nil {
		return err
	}
	before, err := numberCursor(c)
	if err != nil {
		return err
	}
	list, err := s.Rules.Versions(c.Request().Context(), before, limit)
	if err != nil {
		return err
	}
	items, next := []versionView{}, ""
	for _, v := range list {
		items = append(items, versionView{v.Number, v.Digest, v.Comment, v.Restored, v.Author, v.AuthorName, v.Approver, v.ApproverName, v.PublishedAt, len(v.Tests)})
	}
	if len(list) == limit && list[limit-1].Number > 1 {
		next = strconv.FormatInt(list[limit-1].Number, 10)
	}
	return noStore(c, http.StatusOK, map[string]any{"items": items, "next_cursor": next, "in_force": s.Rules.InForce()})
}

// versionParam reads the number in the address.
func versionParam(c echo.Context) (int64, error) {
	n, err := strconv.ParseInt(c.Param("version"), 10, 64)
	if err != nil || n < 1 {
		return 0, fault.New(fault.NotFound, "policy.version", "There is no such version of the policy.")
	}
	return n, nil
}

// showPolicyVersion handles GET /admin/policies/versions/:version.
func (s *Server) showPolicyVersion(c echo.Context) error {
	n, err := versionParam(c)
	if err != nil {
		return err
	}
	v, err := s.Rules.Version(c.Request().Context(), n)
	if err != nil {
		return err
	}
	return noStore(c, http.StatusOK, v)
}

// restorePolicy handles POST /admin/policies/versions/:version/restore.
func (s *Server) restorePolicy(c echo.Context) error {
	n, err := versionParam(c)
	if err != nil {
		return err
	}
	var in struct {
		Comment string `json:"comment"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	out, err := s.Rules.Restore(c.Request().Context(), n, in.Comment)
	return afterPublishing(c, out, err)
}

// diffPolicies handles GET /admin/policies/diff.
func (s *Server) diffPolicies(c echo.Context) error {
	d, err := s.Rules.Diff(c.Request().Context(), orElse(c.QueryParam("from"), "published"), orElse(c.QueryParam("to"), "draft"))
	if err != nil {
		return err
	}
	return noStore(c, http.StatusOK, d)
}
