-- The data of "make bench ARGS=pages". {users} is the number of users; other numbers follow from it.
-- User 1 is a superuser and owns group 1, the largest. User 2 has thousands of events, groups and invitations; a sign-in
-- ends all but 20 of the sessions.

SET session_replication_role = replica;  -- no triggers, and no checks of foreign keys
SET synchronous_commit = off;
SET maintenance_work_mem = '512MB';

CREATE TEMP TABLE person AS
SELECT i, uuidv7(make_interval(secs => i - {users} - 86400)) AS id, f AS first, l AS last
FROM generate_series(1, {users}) i,
    LATERAL (SELECT (ARRAY['Alexander', 'Alexandra', 'Maria', 'Müller', 'Žofia', 'Ōmi', '李', 'Ярослав', 'Alex', 'John'])
        [1 + abs(hashint4(i)) % 10] AS f, 'Family' || i % 5000 AS l) name;

INSERT INTO "user" (id, email, display_name, hashed_password, is_active, is_superuser, is_verified, second_factors,
    created_at)
SELECT id, CASE i WHEN 1 THEN 'superuser@example.com' WHEN 2 THEN 'heavy@example.com'
    ELSE lower(last) || '.' || i || '@example' || i % 50 || '.com' END, first || ' ' || last, '!', i < 3 OR i % 33 > 0,
    i = 1 OR i % ({users} / 20) = 0, i < 3 OR i % 5 > 0, CASE WHEN i % 10 = 3 THEN '{totp}' ELSE '{}' END::varchar[],
    now() - make_interval(secs => {users} + 86400 - i)
FROM person;

INSERT INTO user_group (name, visibility, required_aal)
SELECT CASE i WHEN 1 THEN 'Everyone' ELSE (ARRAY['Team ', 'Équipe ', '部門 ', 'Team Berlin '])[1 + i % 4] || i END,
    CASE WHEN i % 10 < 7 THEN 'public' ELSE 'private' END, 1
FROM generate_series(1, {users} / 10) i;

-- Each group has an owner; each user belongs to two groups, one user in ten also to the largest.
INSERT INTO membership (group_id, user_id, role)
SELECT g, p.id, max(role) FROM (
    SELECT i AS g, 2 + i AS member, 'owner' AS role FROM generate_series(2, {users} / 10) i
    UNION ALL SELECT 1, 1, 'owner'
    UNION ALL SELECT 1, i, CASE WHEN i % 1000 = 7 THEN 'admin' ELSE 'member' END FROM generate_series(2, {users} / 10) i
    UNION ALL SELECT 2 + i % ({users} / 10 - 1), i, 'member' FROM generate_series(1, {users}) i
    UNION ALL SELECT 2 + i * 7919::bigint % ({users} / 10 - 1), i, 'member' FROM generate_series(1, {users}) i
    UNION ALL SELECT {users} / 10 - i, 2, CASE WHEN i % 2 = 0 THEN 'owner' ELSE 'admin' END
    FROM generate_series(0, {users} / 100) i
) wanted JOIN person p ON p.i = member GROUP BY g, p.id ORDER BY g, p.id;
UPDATE user_group SET member_count = counted FROM
    (SELECT group_id, count(*) AS counted FROM membership GROUP BY group_id) c WHERE c.group_id = id;

INSERT INTO user_session (id, user_id, kind, token_hash, created_at, last_seen_at, expires_at, user_agent, address, methods)
SELECT uuidv7(make_interval(secs => -s.i % 86400)), p.id, 'cookie', '', now() - make_interval(secs => s.i % 86400),
    now() - make_interval(secs => s.i % 86400), now() + interval '30 days',
    'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0', '192.0.2.' || s.i % 256, '{pwd}'
FROM (SELECT i, i AS owner FROM generate_series(1, {users}) i
    UNION ALL SELECT i, 2 FROM generate_series(1, {users} / 100) i) s JOIN person p ON p.i = owner;

INSERT INTO known_device (user_id, fingerprint, seen_at)
SELECT id, sha256(i::text::bytea), now() - make_interval(secs => i % 7776000) FROM person;

-- Four events of each user in a year, some of them refused sign-ins of unknown addresses; of the heavy user and about the
-- largest group as many as of {users} / 10 users.
INSERT INTO audit_event (at, action, actor_id, user_id, group_id, address, detail)
SELECT now() - make_interval(secs => (4 * {users} - e.i) * (31536000.0 / 4 / {users})), e.action,
    CASE WHEN e.action = 'session.refused' THEN NULL ELSE p.id END, CASE WHEN e.i % 40 = 3 THEN NULL ELSE p.id END,
    e.group_id, '192.0.2.' || e.i % 256, CASE e.action
        WHEN 'session.started' THEN '{"kind": "cookie", "methods": ["pwd"]}'
        WHEN 'session.refused' THEN '{"methods": ["pwd"], "reason": "password"}'
        WHEN 'membership.created' THEN '{"role": "member"}' ELSE '{"changed": ["display_name"]}' END::jsonb
FROM (
    SELECT i, 1 + i % {users} AS person, NULL::bigint AS group_id,
        (ARRAY['session.started', 'session.started', 'session.started', 'session.refused', 'user.changed'])
            [1 + i % 5] AS action
    FROM generate_series(1, 4 * {users}) i
    UNION ALL SELECT 40 * i, 1 + i % ({users} / 10), 1, 'membership.created' FROM generate_series(1, {users} / 10) i
    UNION ALL SELECT 400 * i, 2, 2 + i % ({users} / 10 - 1), 'membership.created' FROM generate_series(1, {users} / 100) i
    UNION ALL SELECT 400 * i, 2, NULL, 'session.started' FROM generate_series(1, {users} / 100) i
) e JOIN person p ON p.i = e.person ORDER BY e.i;
INSERT INTO audit_event (action, detail) SELECT 'pruned', '{}';

INSERT INTO invitation (group_id, email, role, note, inviter_id, token_hash, expires_at)
SELECT g, email, 'member', 'Welcome to the team.', inviter.id, sha256((g || email)::bytea), now() + interval '7 days'
FROM (
    SELECT 1 AS g, 'guest' || i || '@example.org' AS email FROM generate_series(1, {users} / 100) i
    UNION ALL SELECT 2 + i % ({users} / 10 - 1), 'guest' || i || '@example.net' FROM generate_series(1, {users} / 10) i
    UNION ALL SELECT 1 + i, 'heavy@example.com' FROM generate_series(1, {users} / 100) i
) wanted JOIN person inviter ON inviter.i = 1 ORDER BY g;

INSERT INTO member_import (id, group_id, actor_id, status, finished_at, total, done, counts)
SELECT g, g, id, 'finished', now(), 50000, 50000,
    '{"added": 50000, "invited": 0, "already_members": 0, "already_invited": 0}'
FROM person, unnest(ARRAY[1, {users} / 10]) g WHERE i = 1;

INSERT INTO outbox (id, kind, email, user_id, turn, next_at, attempts, parked_at, error)
SELECT uuidv7(make_interval(secs => -n)), CASE WHEN n % 3 = 0 THEN 'verify' ELSE 'new_sign_in' END, u.email, u.id,
    n % 2 - 1, now() + make_interval(secs => n % 7200 - 3600), n % 4, CASE WHEN n % 2 = 0 THEN now() END,
    CASE WHEN n % 2 = 0 THEN '550 5.1.1 No such mailbox' WHEN n % 4 = 1 THEN '451 4.7.1 Try later' ELSE '' END
FROM generate_series(1, {users} / 5) n
JOIN person p ON p.i = CASE WHEN n % 20 < 2 THEN 2 ELSE n END JOIN "user" u USING (id);
INSERT INTO outbox (id, kind, email, invitation_id, created_at, turn)
SELECT uuidv7(), 'invitation', email, id, updated_at, 1 FROM invitation WHERE id % 3 = 0;

INSERT INTO access_key (id, user_id, name, secret_hash, scopes, expires_at)
SELECT uuidv7(), id, 'Script', '', '{profile:read}', now() + interval '90 days' FROM person WHERE i % 10 = 1;
INSERT INTO access_key (id, user_id, name, secret_hash, scopes, expires_at)
SELECT uuidv7(), id, 'Key ' || k, '', '{profile:read}', now() + interval '90 days' FROM person, generate_series(1, 50) k WHERE i < 3;
INSERT INTO passkey (id, user_id, credential_id, public_key, sign_count, name, transports, backup_eligible)
SELECT uuidv7(), id, sha256((i || ' ' || k)::bytea), '', 0, 'Passkey ' || k, '{internal}', true
FROM person, generate_series(1, 10) k WHERE i = 2 OR (k = 1 AND i % 10 = 2);
INSERT INTO pending_registration (token_hash, email, expires_at)
SELECT sha256(i::text::bytea), 'new' || i || '@example.org', now() + interval '1 day' FROM generate_series(1, {users} / 10) i;

INSERT INTO figure (period, at, name, value)
SELECT period, date_trunc(period, now(), 'UTC') - CASE period WHEN 'hour' THEN interval '1 hour' ELSE '1 day' END * i, name,
    hashtext(name || i) & 8191
FROM unnest(ARRAY['hour', 'day']) period, generate_series(0, 800) i, unnest(CAST('{names}' AS text[])) name;
