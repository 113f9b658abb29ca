-- What the workloads read and change beside the seeder's data, whose users have two groups each: 32 users ("readers")
-- with 64 groups, 60 invitations and 50 sessions; and 64 groups ("circles") with 132 members and 60 invitations.
CREATE TEMP TABLE reader AS
    SELECT row_number() OVER (ORDER BY id) AS number, id FROM "user"
    WHERE is_active AND email LIKE '%@batch-%' ORDER BY id LIMIT 32;
UPDATE "user" SET is_verified = true WHERE id IN (SELECT id FROM reader);
-- Those who search users.
UPDATE "user" SET is_superuser = true WHERE id IN (
    SELECT id FROM "user" WHERE is_active AND email LIKE '%@batch-%' ORDER BY id OFFSET 32 LIMIT 8
);
INSERT INTO user_group (name, description, visibility)
    SELECT 'Circle ' || number, 'A circle of the benchmarks', 'public' FROM generate_series(1, 64) number;
CREATE TEMP TABLE circle AS
    SELECT row_number() OVER (ORDER BY id) AS number, id FROM user_group WHERE name LIKE 'Circle %';
INSERT INTO membership (group_id, user_id, role)
    SELECT c.id, r.id, CASE WHEN c.number % 32 = r.number % 32 THEN 'owner' ELSE 'member' END
    FROM circle c, reader r ORDER BY 1, 2;
-- The members whose roles are changed.
INSERT INTO membership (group_id, user_id)
    SELECT c.id, u.id FROM circle c, (
        SELECT id FROM "user" WHERE is_active AND email LIKE '%@batch-%' ORDER BY id OFFSET 200 LIMIT 100
    ) u ORDER BY 1, 2;
INSERT INTO invitation (group_id, email, inviter_id, token_hash, expires_at)
    SELECT c.id, 'guest' || guest || '@guests.example.com', r.id, sha256(convert_to(c.id || ' ' || guest, 'UTF8')),
        now() + interval '30 days'
    FROM circle c JOIN reader r ON c.number % 32 = r.number % 32, generate_series(1, 60) guest;
INSERT INTO invitation (group_id, user_id, inviter_id, token_hash, expires_at)
    SELECT g.id, r.id, i.id, sha256(convert_to(g.id || ' ' || r.id, 'UTF8')), now() + interval '30 days'
    FROM reader r JOIN reader i ON r.number % 32 + 1 = i.number, (
        SELECT id FROM user_group WHERE name NOT LIKE 'Circle %' AND name NOT LIKE 'Everybody %'
        ORDER BY id DESC LIMIT 60
    ) g;
INSERT INTO user_session (id, user_id, kind, token_hash, expires_at, user_agent, address)
    SELECT uuidv7(), r.id, 'bearer', sha256(convert_to(r.id || ' ' || host, 'UTF8')), now() + interval '30 days',
        'Mozilla/5.0 (X11; Linux x86_64)', '192.0.2.' || host
    FROM reader r, generate_series(1, 48) host;
