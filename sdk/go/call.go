package vivified

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Call calls an operation that another plugin declares, through the core's
// operator lane. Payload becomes the JSON body; the core fills the operation's
// path template from its fields. A refusal is a *Problem that names the rule.
func (p *Plugin) Call(ctx context.Context, target, operation string, payload any) (*Answer, error) {
	if payload == nil {
		payload = struct{}{}
	}
	return p.operate(ctx, http.MethodPost, "/gateway/"+url.PathEscape(target)+"/"+url.PathEscape(operation), payload)
}

// CallPath calls another plugin by method and path, where it declares a template
// that the path fits. The path starts with a slash and may carry a query. A nil
// payload sends no body.
func (p *Plugin) CallPath(ctx context.Context, target, method, path string, payload any) (*Answer, error) {
	if !strings.HasPrefix(path, "/") {
		return nil, fmt.Errorf("call %s: the path %q does not start with a slash", target, path)
	}
	return p.operate(ctx, method, "/gateway/"+url.PathEscape(target)+"/-"+path, payload)
}

func (p *Plugin) operate(ctx context.Context, method, path string, payload any) (*Answer, error) {
	r := request{method: method, path: path, header: http.Header{}}
	if payload != nil {
		var err error
		if r.body, err = json.Marshal(payload); err != nil {
			return nil, fmt.Errorf("call %s: %w", path, err)
		}
	}
	if from, _ := ctx.Value(lineageKey{}).(lineage); from.delegation != "" {
		r.header.Set("X-Vivified-On-Behalf-Of", from.delegation)
	}
	answer, err := p.session.do(ctx, r)
	if unsent(err) && sleep(ctx, 100*time.Millisecond) == nil {
		answer, err = p.session.do(ctx, r)
	}
	if err != nil {
		return nil, fmt.Errorf("call %s %s: %w", method, path, err)
	}
	return answer, nil
}
