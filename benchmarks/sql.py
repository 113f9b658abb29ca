"""The floor's SQL: one statement per response, which PostgreSQL returns as JSON."""

ME = """
SELECT row_to_json(shown)::text FROM (
    SELECT u.id, u.email, u.display_name, u.is_active, u.is_superuser, u.is_verified, u.created_at, u.updated_at
    FROM user_session s JOIN "user" u ON u.id = s.user_id
    WHERE s.id = {session}::uuid AND u.id = {user}::uuid AND u.is_active
        AND s.expires_at > now() AND s.last_seen_at > now() - interval '14 days'
) AS shown
"""
MEMBERS = """
SELECT json_agg(row_to_json(shown))::text FROM (
    SELECT u.id, u.display_name, m.role, m.joined_at
    FROM user_group g JOIN membership m ON m.group_id = g.id JOIN "user" u ON u.id = m.user_id
    WHERE g.id = {group}::bigint AND g.visibility = 'public'
    ORDER BY m.user_id LIMIT {limit}::bigint
) AS shown
"""
MEMBERS_SEEN = """
WITH viewer AS (
    SELECT u.is_superuser, mine.user_id IS NOT NULL AS fellow
    FROM user_session s JOIN "user" u ON u.id = s.user_id
    LEFT JOIN membership mine ON mine.user_id = u.id AND mine.group_id = {group}::bigint
    WHERE s.id = {session}::uuid AND u.id = {user}::uuid AND u.is_active
        AND s.expires_at > now() AND s.last_seen_at > now() - interval '14 days'
)
SELECT json_agg(row_to_json(shown))::text FROM (
    SELECT u.id, u.display_name, CASE WHEN v.fellow OR v.is_superuser THEN u.email END AS email, m.role, m.joined_at
    FROM viewer v, user_group g JOIN membership m ON m.group_id = g.id JOIN "user" u ON u.id = m.user_id
    WHERE g.id = {group}::bigint AND (g.visibility = 'public' OR v.fellow OR v.is_superuser)
    ORDER BY m.user_id LIMIT {limit}::bigint
) AS shown
"""
