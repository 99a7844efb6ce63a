package settings

import "time"

// contradictions notes settings that cannot be in force together.
func (p *problems) contradictions(l *layers) {
	text := func(k Key) string { return l.effective(k).value.(string) }
	span := func(k Key) time.Duration { return l.effective(k).value.(time.Duration) }
	for _, c := range []struct {
		wrong bool
		key   Key
		say   string
	}{
		{(text(TLSCertFile) == "") != (text(TLSKeyFile) == ""), TLSCertFile, "tls_cert_file and tls_key_file go together: set both or neither."},
		{span(SessionIdle) > span(SessionAbsolute), SessionIdle, "session_idle must not be longer than session_absolute."},
		{span(SessionIdlePHI) > span(SessionAbsolute), SessionIdlePHI, "session_idle_phi must not be longer than session_absolute."},
		{span(SessionIdlePHI) > span(SessionIdle), SessionIdlePHI, "session_idle_phi must not be longer than session_idle."},
		{span(HealthTimeout) > span(HealthInterval), HealthTimeout, "health_timeout must not be longer than health_interval."},
		{span(OperatorTimeout) > span(OperatorTimeoutMax), OperatorTimeout, "operator_timeout must not be longer than operator_timeout_max."},
		{span(EventMaxAge) > span(EventRetention), EventMaxAge, "event_max_age must not be longer than event_retention."},
	} {
		if c.wrong {
			p.add("settings.contradiction", "/"+c.key.String(), "%s", c.say)
		}
	}
}
