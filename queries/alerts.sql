-- AlertRuleList returns the rules that people added or changed.
-- name: AlertRuleList :many
SELECT * FROM alert_rules WHERE tenant_id = @tenant_id ORDER BY id;

-- AlertRuleLock returns one of them and keeps others from changing it until the transaction ends.
-- name: AlertRuleLock :one
SELECT * FROM alert_rules WHERE tenant_id = @tenant_id AND id = @id FOR UPDATE;

-- AlertRuleInsert adds a rule, or the changed form of a built-in one.
-- name: AlertRuleInsert :one
INSERT INTO alert_rules (tenant_id, id, name, spec, enabled, version, changed_by, changed_name, changed_at)
VALUES (@tenant_id, @id, @name, @spec, @enabled, @version, @changed_by, @changed_name, @at)
RETURNING *;

-- AlertRuleUpdate changes a locked rule.
-- name: AlertRuleUpdate :one
UPDATE alert_rules SET name = @name, spec = @spec, enabled = @enabled, version = version + 1, changed_by = @changed_by, changed_name = @changed_name, changed_at = @at
WHERE tenant_id = @tenant_id AND id = @id RETURNING *;

-- AlertRuleDelete removes a rule; a built-in one is as shipped again.
-- name: AlertRuleDelete :one
DELETE FROM alert_rules WHERE tenant_id = @tenant_id AND id = @id RETURNING *;

-- AlertPlaces returns how far the rules have come in each chain.
-- name: AlertPlaces :many
SELECT chain, seq FROM alert_places WHERE tenant_id = @tenant_id;

-- AlertPlaceBegin notes where a chain is begun; none when it was before.
-- name: AlertPlaceBegin :execrows
INSERT INTO alert_places (tenant_id, chain, seq) VALUES (@tenant_id, @chain, @seq) ON CONFLICT DO NOTHING;

-- AlertPlaceMove moves on from a place that the caller saw; none when another replica was first.
-- name: AlertPlaceMove :execrows
UPDATE alert_places SET seq = @to_seq WHERE tenant_id = @tenant_id AND chain = @chain AND seq = @from_seq;

-- AlertCountAdd adds to what was counted.
-- name: AlertCountAdd :exec
INSERT INTO alert_counts (tenant_id, rule, key, bucket, n)
SELECT @tenant_id, unnest(@rules::text[]), unnest(@keys::text[]), unnest(@buckets::timestamptz[]), unnest(@counts::bigint[])
ON CONFLICT (tenant_id, rule, key, bucket) DO UPDATE SET n = alert_counts.n + excluded.n;

-- AlertCounts returns what was counted for a rule and key, oldest first.
-- name: AlertCounts :many
SELECT bucket, n FROM alert_counts
WHERE tenant_id = @tenant_id AND rule = @rule AND key = @key AND bucket BETWEEN @since::timestamptz AND @until::timestamptz ORDER BY bucket;

-- AlertCountTrim forgets what was counted before a time.
-- name: AlertCountTrim :execrows
DELETE FROM alert_counts WHERE bucket < @before;

-- AlertTrim forgets alerts that were resolved before a time.
-- name: AlertTrim :execrows
DELETE FROM alerts WHERE state = 'resolved' AND resolved_at < @before::timestamptz;

-- AlertActive returns the active alert of a rule and key, locked.
-- name: AlertActive :one
SELECT * FROM alerts WHERE tenant_id = @tenant_id AND rule = @rule AND key = @key AND state <> 'resolved' FOR UPDATE;

-- AlertActiveCount returns how many alerts of a rule are active.
-- name: AlertActiveCount :one
SELECT count(*) FROM alerts WHERE tenant_id = @tenant_id AND rule = @rule AND state <> 'resolved';

-- AlertOpen opens an alert; none when another replica did meanwhile.
-- name: AlertOpen :execrows
INSERT INTO alerts (id, tenant_id, rule, rule_name, key, severity, title, text, plugin, object, channels, sticky, quiet_seconds, state, count, opened_at, last_at)
VALUES (@id, @tenant_id, @rule, @rule_name, @key, @severity, @title, @text, @plugin, @object, @channels, @sticky, @quiet_seconds, 'open', @count, @at, @last_at)
ON CONFLICT (tenant_id, rule, key) WHERE state <> 'resolved' DO NOTHING;

-- AlertAgain notes that an active alert's condition was met again.
-- name: AlertAgain :exec
UPDATE alerts SET count = count + @count, last_at = GREATEST(last_at, @last_at), text = @text, ended_at = NULL WHERE id = @id;

-- AlertRecordAdd keeps a record with an alert.
-- name: AlertRecordAdd :exec
INSERT INTO alert_records (alert, chain, seq) VALUES (@alert, @chain, @seq) ON CONFLICT DO NOTHING;

-- AlertRecordCount returns how many records are kept with an alert.
-- name: AlertRecordCount :one
SELECT count(*) FROM alert_records WHERE alert = @alert;

-- AlertRecords returns the records that are kept with an alert.
-- name: AlertRecords :many
SELECT chain, seq FROM alert_records WHERE alert = @alert ORDER BY chain, seq;

-- AlertGoingOn returns the active alerts whose condition has not ended.
-- name: AlertGoingOn :many
SELECT * FROM alerts WHERE tenant_id = @tenant_id AND state <> 'resolved' AND ended_at IS NULL ORDER BY opened_at, id LIMIT 5000;

-- AlertEnd notes that an alert's condition ended: it is resolved, unless it waits for a person.
-- name: AlertEnd :one
UPDATE alerts SET ended_at = @at::timestamptz, state = CASE WHEN sticky AND state = 'open' THEN state ELSE 'resolved' END,
    resolved_at = CASE WHEN sticky AND state = 'open' THEN NULL ELSE @at::timestamptz END
WHERE id = @id AND state <> 'resolved' AND ended_at IS NULL RETURNING *;

-- AlertAcknowledge notes that a person has seen an open alert: one whose condition ended is resolved.
-- name: AlertAcknowledge :one
UPDATE alerts SET acked_by = @acked_by, acked_name = @acked_name, acked_at = @at::timestamptz, note = @note,
    state = CASE WHEN ended_at IS NULL THEN 'acknowledged' ELSE 'resolved' END,
    resolved_at = CASE WHEN ended_at IS NULL THEN NULL ELSE @at::timestamptz END
WHERE tenant_id = @tenant_id AND id = @id AND state = 'open' RETURNING *;

-- AlertGet returns one alert and until when it is silenced.
-- name: AlertGet :one
SELECT sqlc.embed(a), COALESCE((SELECT max(s.until) FROM alert_silences s WHERE s.tenant_id = a.tenant_id AND s.rule = a.rule AND (s.key IS NULL OR s.key = a.key)
    AND s.ended_at IS NULL AND s.until > @now::timestamptz), 'epoch')::timestamptz AS silenced_until
FROM alerts a WHERE a.tenant_id = @tenant_id AND a.id = @id;

-- AlertList returns alerts, newest first: of one state or all, of one rule or all, silenced ones or others or both.
-- name: AlertList :many
SELECT sqlc.embed(a), COALESCE(quiet.until, 'epoch')::timestamptz AS silenced_until
FROM alerts a LEFT JOIN LATERAL (SELECT max(s.until) AS until FROM alert_silences s WHERE s.tenant_id = a.tenant_id AND s.rule = a.rule AND (s.key IS NULL OR s.key = a.key)
    AND s.ended_at IS NULL AND s.until > @now::timestamptz) quiet ON true
WHERE a.tenant_id = @tenant_id AND (@state::text = '' OR a.state = @state) AND (@rule::text = '' OR a.rule = @rule)
    AND (@severity::text = '' OR a.severity = @severity) AND (@plugin::text = '' OR a.plugin = @plugin)
    AND (@silenced::text = '' OR (@silenced = 'yes') = (quiet.until IS NOT NULL))
    AND (a.opened_at, a.id) < (@before_at::timestamptz, @before_id::uuid)
ORDER BY a.opened_at DESC, a.id DESC LIMIT @most;

-- AlertWaiting counts the open alerts that are not silenced, by severity.
-- name: AlertWaiting :many
SELECT a.severity, count(*) AS n FROM alerts a
WHERE a.tenant_id = @tenant_id AND a.state = 'open' AND NOT EXISTS (SELECT FROM alert_silences s WHERE s.tenant_id = a.tenant_id AND s.rule = a.rule
    AND (s.key IS NULL OR s.key = a.key) AND s.ended_at IS NULL AND s.until > @now::timestamptz)
GROUP BY a.severity;

-- AlertUntold returns the open alerts that nobody was told of and that are not silenced, locked.
-- name: AlertUntold :many
SELECT a.* FROM alerts a
WHERE a.tenant_id = @tenant_id AND a.state = 'open' AND a.notified_at IS NULL AND NOT EXISTS (SELECT FROM alert_silences s WHERE s.tenant_id = a.tenant_id
    AND s.rule = a.rule AND (s.key IS NULL OR s.key = a.key) AND s.ended_at IS NULL AND s.until > @now::timestamptz)
ORDER BY a.opened_at LIMIT 100 FOR UPDATE SKIP LOCKED;

-- AlertTold notes that an alert's channels are told.
-- name: AlertTold :exec
UPDATE alerts SET notified_at = @at::timestamptz WHERE id = @id;

-- AlertNoticeAdd has a channel told of an alert.
-- name: AlertNoticeAdd :exec
INSERT INTO alert_notices (id, alert, channel, event, made_at, next_at) VALUES (@id, @alert, @channel, @event, @at, @at) ON CONFLICT DO NOTHING;

-- AlertNoticeClaim takes the notice that is due longest, and puts it off for whoever else looks.
-- name: AlertNoticeClaim :one
UPDATE alert_notices SET attempts = attempts + 1, next_at = @next_at
WHERE id = (SELECT n.id FROM alert_notices n WHERE n.sent_at IS NULL AND NOT n.given_up AND n.next_at <= @now::timestamptz ORDER BY n.next_at, n.id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING *;

-- AlertNoticeDone notes what came of a notice.
-- name: AlertNoticeDone :exec
UPDATE alert_notices SET sent_at = @sent_at, given_up = @given_up, last_error = @last_error, next_at = @next_at WHERE id = @id;

-- AlertNotices returns what the channels were told of an alert.
-- name: AlertNotices :many
SELECT * FROM alert_notices WHERE alert = @alert ORDER BY made_at, channel, event;

-- AlertSilenceAdd begins a silence.
-- name: AlertSilenceAdd :one
INSERT INTO alert_silences (id, tenant_id, rule, key, reason, begun_at, until, begun_by, begun_name)
VALUES (@id, @tenant_id, @rule, @key, @reason, @at, @until, @begun_by, @begun_name) RETURNING *;

-- AlertSilenceCount returns how many silences of a tenant are in force.
-- name: AlertSilenceCount :one
SELECT count(*) FROM alert_silences WHERE tenant_id = @tenant_id AND ended_at IS NULL;

-- AlertSilenceList returns the silences in force, the one that ends first on top.
-- name: AlertSilenceList :many
SELECT * FROM alert_silences WHERE tenant_id = @tenant_id AND ended_at IS NULL AND until > @now::timestamptz ORDER BY until, id;

-- AlertSilenceEnd ends a silence before its time.
-- name: AlertSilenceEnd :one
UPDATE alert_silences SET ended_at = @at::timestamptz, ended_name = @ended_name WHERE tenant_id = @tenant_id AND id = @id AND ended_at IS NULL RETURNING *;

-- AlertSilenceLapse ends the silences whose time is over.
-- name: AlertSilenceLapse :many
UPDATE alert_silences SET ended_at = until WHERE tenant_id = @tenant_id AND ended_at IS NULL AND until <= @now::timestamptz RETURNING *;
