package vivified

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// session is the plugin's standing with the core: registered or not, and the
// token of the moment. One renewal runs at a time; everybody else waits for it.
type session struct {
	core         *client
	manifest     []byte
	registration string // X-Registration-Token, or ""
	state        state
	log          *slog.Logger

	mu      sync.Mutex
	token   string
	refresh string    // rotated with every use
	renewAt time.Time // when the token should be replaced, well before it ends

	renewing chan struct{} // holds one value while a renewal runs
	retry    backoff       // guarded by renewing
	notUntil time.Time     // no renewal before; guarded by renewing
	lost     chan struct{} // wakes keep when a request was answered 401
}

// grant is what registration and refresh answer.
type grant struct {
	Token        string `json:"token"`
	ExpiresIn    int    `json:"expires_in"` // seconds
	RefreshToken string `json:"refresh_token"`
}

// errNotYet is a renewal that was asked for during the pause after a failed one.
var errNotYet = errors.New("the last renewal failed a moment ago")

func newSession(core *client, text []byte, cfg Config, kept state) (*session, error) {
	refresh, err := kept.load()
	if err != nil {
		return nil, err
	}
	return &session{
		core:         core,
		manifest:     text,
		registration: cfg.RegistrationToken,
		state:        kept,
		log:          cfg.Logger,
		refresh:      refresh,
		renewing:     make(chan struct{}, 1),
		retry:        backoff{base: 500 * time.Millisecond, most: 30 * time.Second},
		lost:         make(chan struct{}, 1),
	}, nil
}

// start registers, again and again with back-off until the core lets the plugin
// in. A refused manifest ends it: sending the same bytes again changes nothing.
func (s *session) start(ctx context.Context) error {
	wait := backoff{base: 200 * time.Millisecond, most: 5 * time.Second}
	said := ""
	for {
		err := s.register(ctx)
		if err == nil {
			return nil
		}
		switch statusOf(err) {
		case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
			return err
		}
		if err.Error() != said && ctx.Err() == nil { // once per reason, not once per try
			said = err.Error()
			s.log.WarnContext(ctx, "not registered yet", "reason", said)
		}
		if err := sleep(ctx, wait.next()); err != nil {
			return err
		}
	}
}

// register sends the manifest. A kept refresh token proves that this is the
// plugin coming back; when the core no longer takes it, the registration token
// is the proof.
func (s *session) register(ctx context.Context) error {
	_, refresh, _ := s.now()
	if refresh != "" {
		err := s.knock(ctx, "X-Refresh-Token", refresh)
		if status := statusOf(err); status != http.StatusUnauthorized && status != http.StatusConflict {
			return err
		}
		s.log.WarnContext(ctx, "the kept refresh token is no longer accepted")
		s.drop(refresh)
	}
	return s.knock(ctx, "X-Registration-Token", s.registration)
}

// knock registers with one proof, or with none when it is empty.
func (s *session) knock(ctx context.Context, header, proof string) error {
	r := request{method: http.MethodPost, path: "/plugins/register", header: http.Header{}, body: s.manifest}
	if proof != "" {
		r.header.Set(header, proof)
	}
	answer, err := s.core.do(ctx, r, "")
	if err != nil {
		return err
	}
	return s.accept(ctx, answer)
}

// accept takes a new token into use and keeps the refresh token that came with it.
func (s *session) accept(ctx context.Context, answer *Answer) error {
	var g grant
	if err := answer.Decode(&g); err != nil {
		return err
	}
	if g.Token == "" || g.ExpiresIn <= 0 {
		return errors.New("the core answered without a token")
	}
	life := time.Duration(g.ExpiresIn) * time.Second
	s.mu.Lock()
	s.token = g.Token
	s.renewAt = time.Now().Add(life * 2 / 3)
	if g.RefreshToken != "" {
		s.refresh = g.RefreshToken
	}
	refresh := s.refresh
	s.mu.Unlock()
	if err := s.state.save(refresh); err != nil {
		// The plugin works on; it will need its registration token after a restart.
		s.log.WarnContext(ctx, "the refresh token was not kept", "error", err)
	}
	return nil
}

// now returns the token, the refresh token and when to renew.
func (s *session) now() (token, refresh string, renewAt time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.token, s.refresh, s.renewAt
}

// drop forgets a refresh token that the core refused, unless it was replaced meanwhile.
func (s *session) drop(refresh string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refresh == refresh {
		s.refresh = ""
	}
}

// renew replaces the stale token: by the refresh token, and by registering again
// when the core no longer knows that one. It does nothing when another goroutine
// has replaced it already, and returns errNotYet in the pause after a failure.
func (s *session) renew(ctx context.Context, stale string) error {
	select {
	case s.renewing <- struct{}{}:
		defer func() { <-s.renewing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	token, refresh, _ := s.now()
	if token != stale {
		return nil
	}
	if time.Now().Before(s.notUntil) {
		return errNotYet
	}
	// A refresh token works once: giving up half-way would lose its successor.
	ctx = context.WithoutCancel(ctx)
	err := s.exchange(ctx, refresh)
	if statusOf(err) == http.StatusUnauthorized {
		s.drop(refresh)
		err = s.register(ctx)
	}
	if err != nil {
		s.notUntil = time.Now().Add(s.retry.next())
		return err
	}
	s.retry.reset()
	return nil
}

// exchange trades the refresh token for a new pair, or registers when there is none.
func (s *session) exchange(ctx context.Context, refresh string) error {
	if refresh == "" {
		return s.register(ctx)
	}
	body, err := json.Marshal(map[string]string{"refresh_token": refresh})
	if err != nil {
		return err
	}
	answer, err := s.core.do(ctx, request{method: http.MethodPost, path: "/plugins/token", body: body}, "")
	if err != nil {
		return err
	}
	return s.accept(ctx, answer)
}

// keep renews the token before it ends, and when a request found it refused,
// until ctx ends.
func (s *session) keep(ctx context.Context) {
	wait := backoff{base: time.Second, most: 30 * time.Second}
	said := ""
	for {
		token, _, renewAt := s.now()
		pause := time.NewTimer(time.Until(renewAt))
		select {
		case <-pause.C:
		case <-s.lost:
			pause.Stop()
		case <-ctx.Done():
			pause.Stop()
			return
		}
		for {
			err := s.renew(ctx, token)
			if err == nil {
				wait.reset()
				said = ""
				break
			}
			if !errors.Is(err, errNotYet) && err.Error() != said && ctx.Err() == nil { // once per reason
				said = err.Error()
				s.log.WarnContext(ctx, "token not renewed", "reason", said)
			}
			if sleep(ctx, wait.next()) != nil {
				return
			}
		}
	}
}

// do sends a request under the plugin's token and reads its answer.
func (s *session) do(ctx context.Context, r request) (answer *Answer, err error) {
	err = s.with(ctx, func(token string) error {
		answer, err = s.core.do(ctx, r, token)
		return err
	})
	return answer, err
}

// with sends under the plugin's token. A token the core no longer knows is
// renewed once; that of a disabled or quarantined plugin is not, because only an
// administrator can make it work again.
func (s *session) with(ctx context.Context, send func(token string) error) error {
	token, _, _ := s.now()
	err := send(token)
	if !refused(err) {
		return err
	}
	if s.renew(ctx, token) != nil {
		s.wake()
		return err
	}
	token, _, _ = s.now()
	return send(token)
}

// wake tells keep that the token was refused.
func (s *session) wake() {
	select {
	case s.lost <- struct{}{}:
	default: // already told
	}
}

// refused reports whether the core did not take the token itself.
func refused(err error) bool {
	p, ok := errors.AsType[*Problem](err)
	return ok && p.Status == http.StatusUnauthorized && p.Code != "plugin.disabled" && p.Code != "plugin.quarantined"
}
