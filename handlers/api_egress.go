package handlers

import (
	"net/http"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/approval"
	"github.com/vivified/vivified/core/registry"
)

// egressView is an approval of egress as the API shows it.
type egressView struct {
	ID           string     `json:"id"`
	Plugin       string     `json:"plugin"`
	Domain       string     `json:"domain"`
	Methods      []string   `json:"methods"`
	PathPrefixes []string   `json:"path_prefixes"`
	Ports        []int32    `json:"ports"`
	Rate         *int32     `json:"rate,omitempty"`
	Bytes        *int64     `json:"bytes,omitempty"`
	Source       string     `json:"source"`
	Reason       string     `json:"reason,omitempty"`
	ApprovedBy   string     `json:"approved_by"`
	ApprovedAt   time.Time  `json:"approved_at"`
	ExpiresAt    *time.Time `json:"expires_at,omitempty"`
	InForce      bool       `json:"in_force"`
}

// egressOf shows an approval. One that was given before the manifest declares its
// host is not in force.
func (s *Server) egressOf(a *registry.Approval) egressView {
	p, known := s.Registry.Snapshot().Plugin(a.PluginID)
	return egressView{
		a.ID.String(), a.PluginID, a.Domain, a.Methods, a.PathPrefixes, a.Ports, a.Rate, a.Bytes, a.Source, a.Reason, a.ApprovedBy, a.ApprovedAt.UTC(), a.ExpiresAt,
		a.InForce(time.Now()) && known && slices.Contains(p.Manifest.AllowedDomains, a.Domain),
	}
}

// listEgress handles GET /admin/approvals/egress and GET /gateway/allowlist/effective:
// approvals in force or expired, and what was asked for.
func (s *Server) listEgress(c echo.Context) error {
	type asked struct {
		Plugin   string    `json:"plugin"`
		Domain   string    `json:"domain"`
		Requests int64     `json:"requests"`
		Rule     string    `json:"last_rule"`
		First    time.Time `json:"first_seen"`
		Last     time.Time `json:"last_seen"`
	}
	approvals, observed := []egressView{}, []asked{}
	for _, a := range s.Registry.Snapshot().Approvals() {
		approvals = append(approvals, s.egressOf(a))
	}
	rows, err := s.Registry.Observed(c.Request().Context(), 200)
	if err != nil {
		return err
	}
	for _, o := range rows {
		observed = append(observed, asked{o.PluginID, o.Domain, o.Requests, o.LastRule, o.FirstSeen.UTC(), o.LastSeen.UTC()})
	}
	return c.JSON(http.StatusOK, map[string]any{"egress": approvals, "observed": observed})
}

// approveEgress handles POST /admin/approvals/egress.
func (s *Server) approveEgress(c echo.Context) error {
	var in registry.Approved
	if err := bind(c, &in); err != nil {
		return err
	}
	made, err := s.Approvals.Give(c.Request().Context(), egressAsk(in))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, s.egressOf(&made.Egress))
}

// egressAsk is an approval as what could have been asked for.
func egressAsk(in registry.Approved) approval.Ask {
	return approval.Ask{Kind: approval.Egress, Subject: in.Plugin, Object: in.Domain, Reason: in.Reason, Terms: approval.Terms{
		Methods: in.Methods, PathPrefixes: in.PathPrefixes, Ports: in.Ports, Rate: in.Rate, Bytes: in.Bytes, Until: in.ExpiresAt,
	}}
}
