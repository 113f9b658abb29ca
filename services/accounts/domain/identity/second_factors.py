"""The second factors of a user. The row of the user lists them, because each sign-in reads that row."""

from accounts.db.session import Session
from accounts.db.statements import CompiledStatement
from accounts.models import Factor, User

# The condition under which a user has a kind of factor. Recovery codes, the last one, count only beside another factor.
HAS: dict[Factor, str] = {}
KINDS = ", ".join(f"CASE WHEN {condition} THEN '{kind}' END" for kind, condition in HAS.items())
REFRESH = CompiledStatement(f"""
    UPDATE "user" SET second_factors = CASE WHEN has.kinds = '{{{Factor.RECOVERY_CODE}}}' THEN '{{}}' ELSE has.kinds END
    FROM (SELECT array_remove(CAST(ARRAY[{KINDS}] AS text[]), NULL) AS kinds) AS has
    WHERE id = :user_id
    RETURNING second_factors
""")  # noqa: S608  # only constants are interpolated


async def refresh_factors(db: Session, user: User) -> None:
    """Update which second factors a locked user has, after one was added, removed or used up."""
    [(factors,)] = await REFRESH.run(db, user_id=user.id)
    user.second_factors = factors
