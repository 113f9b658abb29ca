"""The second factors of a user. The row of the user lists them, because each sign-in reads that row."""

from datetime import timedelta

from sqlalchemy.orm.attributes import set_committed_value

from accounts.db.session import Session
from accounts.db.statements import CompiledStatement
from accounts.models import Factor, User

# By kind: its table, and which of a user's rows count. Recovery codes count only beside another factor.
TABLES: dict[Factor, tuple[str, str]] = {
    Factor.TOTP: ("totp", "confirmed_at IS NOT NULL"),
    Factor.PASSKEY: ("passkey", "true"),
    Factor.RECOVERY_CODE: ("recovery_code", "true"),
}
KINDS = ", ".join(
    f"CASE WHEN EXISTS (SELECT FROM {table} WHERE user_id = :user_id AND {counts}) THEN '{kind}' END"
    for kind, (table, counts) in TABLES.items()
)
REFRESH = CompiledStatement(f"""
    UPDATE "user" SET second_factors = CASE WHEN has.kinds = '{{{Factor.RECOVERY_CODE}}}' THEN '{{}}' ELSE has.kinds END
    FROM (SELECT array_remove(CAST(ARRAY[{KINDS}] AS text[]), NULL) AS kinds) AS has
    WHERE id = :user_id
    RETURNING second_factors
""")  # noqa: S608  # only constants are interpolated
DELETE = {
    kind: CompiledStatement(
        f"DELETE FROM {table} WHERE user_id = :user_id AND (created_at > now() - CAST(:age AS interval)) IS NOT FALSE"  # noqa: S608  # as above
    )
    for kind, (table, _) in TABLES.items()
}
LOWER = [
    CompiledStatement(f"UPDATE {table} SET aal = 1 WHERE user_id = :user_id AND aal > 1")  # noqa: S608  # as above
    for table in ("user_session", "access_key")
]


async def refresh_factors(db: Session, user: User) -> None:
    """Update which second factors a locked user has, after one was added, removed or used up.

    Recovery codes are deleted with the last other factor, and the user's sessions and access keys have level 1 from
    then on.
    """
    [(factors,)] = await REFRESH.run(db, user_id=user.id)
    if not factors:
        for lower in LOWER:
            await lower.run(db, user_id=user.id)
        await DELETE[Factor.RECOVERY_CODE].run(db, user_id=user.id, age=None)
    set_committed_value(user, "second_factors", factors)


async def delete_factors(db: Session, user: User, newer_than: timedelta | None = None) -> None:
    """Delete all second factors of a locked user, also those that do not count yet; or only the newer ones."""
    for delete in DELETE.values():
        await delete.run(db, user_id=user.id, age=newer_than)
    await refresh_factors(db, user)
