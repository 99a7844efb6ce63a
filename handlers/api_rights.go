package handlers

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/approval"
	"github.com/vivified/vivified/core/gate"
	"github.com/vivified/vivified/core/registry"
)

// listTraits handles GET /admin/traits.
func (s *Server) listTraits(c echo.Context) error {
	type trait struct {
		Name        string   `json:"name"`
		Category    string   `json:"category"`
		Label       string   `json:"label"`
		Icon        string   `json:"icon"`
		Description string   `json:"description"`
		Requires    []string `json:"prerequisites"`
		Implies     []string `json:"implies"`
		Conflicts   []string `json:"conflicts"`
		Sensitive   bool     `json:"sensitive"`
		Custom      bool     `json:"custom"`
	}
	r := s.Registry.Snapshot().Traits()
	items := []trait{}
	for _, t := range r.All() {
		v := trait{Name: t.Name, Category: t.Category, Label: t.Label, Icon: t.Icon, Description: t.Description, Sensitive: t.Sensitive, Custom: t.Custom}
		v.Requires, v.Implies, v.Conflicts = []string{}, []string{}, []string{}
		for _, id := range t.Prerequisites {
			v.Requires = append(v.Requires, r.Get(id).Name)
		}
		for _, id := range t.Implies {
			v.Implies = append(v.Implies, r.Get(id).Name)
		}
		for _, id := range t.Conflicts {
			v.Conflicts = append(v.Conflicts, r.Get(id).Name)
		}
		items = append(items, v)
	}
	return c.JSON(http.StatusOK, map[string]any{"items": items})
}

// addTrait handles POST /admin/traits.
func (s *Server) addTrait(c echo.Context) error {
	var in registry.NewTrait
	if err := bind(c, &in); err != nil {
		return err
	}
	if err := s.Registry.AddTrait(c.Request().Context(), in); err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, in)
}

// grantView is an operator grant.
type grantView struct {
	ID         string     `json:"id"`
	Caller     string     `json:"caller"`
	Target     string     `json:"target"`
	Operations []string   `json:"operations"`
	Source     string     `json:"source"`
	Reason     string     `json:"reason,omitempty"`
	GrantedBy  string     `json:"granted_by"`
	GrantedAt  time.Time  `json:"granted_at"`
	ExpiresAt  *time.Time `json:"expires_at,omitempty"`
}

func grantOf(g registry.Given) grantView {
	return grantView{g.ID.String(), g.Caller, g.Target, g.Operations, g.Source, g.Reason, g.GrantedBy, g.GrantedAt.UTC(), g.ExpiresAt}
}

// listGrants handles GET /admin/grants.
func (s *Server) listGrants(c echo.Context) error {
	items := []grantView{}
	for _, g := range s.Registry.Snapshot().Grants() {
		items = append(items, grantOf(g))
	}
	return c.JSON(http.StatusOK, map[string]any{"items": items})
}

// giveGrant handles POST /admin/grants.
func (s *Server) giveGrant(c echo.Context) error {
	var in registry.Grant
	if err := bind(c, &in); err != nil {
		return err
	}
	made, err := s.Approvals.Give(c.Request().Context(), approval.Ask{
		Kind: approval.Grant, Subject: in.Caller, Object: in.Target, Reason: in.Reason, Terms: approval.Terms{Operations: in.Operations, Until: in.ExpiresAt},
	})
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, grantOf(made.Grant))
}

// withdrawGrant handles DELETE /admin/grants/:id.
func (s *Server) withdrawGrant(c echo.Context) error {
	id, err := idParam(c, "id")
	if err != nil {
		return err
	}
	if err := s.Registry.Withdraw(c.Request().Context(), id); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]string{"status": "withdrawn"})
}

// withdrawEgress handles DELETE /admin/approvals/egress/:id.
func (s *Server) withdrawEgress(c echo.Context) error {
	id, err := idParam(c, "id")
	if err != nil {
		return err
	}
	if err := s.Registry.Revoke(c.Request().Context(), id); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]string{"status": "withdrawn"})
}

// flow is the traffic of a lane in the last hour.
type flow struct {
	PerMinute float64 `json:"per_minute"`
	P95       float64 `json:"p95_ms"`
	Allowed   uint64  `json:"allowed"`
	Denied    uint64  `json:"denied"`
	Failed    uint64  `json:"failed"`
}

func flowView(g *gate.Gate, action string) flow {
	f := g.Meter().Flow(gate.Edge{Action: action}, 60)
	return flow{f.PerMinute, float64(f.P95.Microseconds()) / 1000, f.Allowed, f.Denied, f.Failed}
}

// gatewayStats handles GET /gateway/stats.
func (s *Server) gatewayStats(c echo.Context) error {
	type edge struct {
		From   string `json:"from"`
		To     string `json:"to"`
		Action string `json:"action"`
		flow
	}
	edges := []edge{}
	for _, e := range s.Gate.Meter().Edges(60) {
		f := s.Gate.Meter().Flow(e, 60)
		edges = append(edges, edge{e.From, e.To, e.Action, flow{f.PerMinute, float64(f.P95.Microseconds()) / 1000, f.Allowed, f.Denied, f.Failed}})
		if len(edges) == 200 {
			break
		}
	}
	return c.JSON(http.StatusOK, map[string]any{
		"operator": flowView(s.Gate, "operator.call"), "proxy": flowView(s.Gate, "proxy.request"), "denials": s.Gate.Meter().Denials(), "edges": edges,
		"targets": s.Calls.Targets(), "domains": s.Egress.Usage(),
	})
}
