"""Exports and imports of members through HTTP, and what they store."""

import csv
from collections import Counter
from io import StringIO
from typing import Any

from httpx2 import Response
from sqlmodel import select

from accounts.db.session import transaction
from accounts.models import AuditEvent, Invitation, Membership, User, UserGroup
from support.people import World

CSV = {"Content-Type": "text/csv"}
DOMAIN = "camelot.example.com"
NOTHING = {"added": 0, "invited": 0, "already_members": 0, "already_invited": 0}


async def export_members(world: World, group: UserGroup, user: User, **query: str) -> Response:
    headers = await world.sign_in(user)
    return await world.client.get(f"/user-groups/{group.id}/users/export", params=query, headers=headers)


async def import_members(
    world: World, group: UserGroup, user: User, content: Any, headers: dict[str, str] | None = None, **query: str
) -> Response:
    headers = await world.sign_in(user) | (CSV if headers is None else headers)
    path = f"/user-groups/{group.id}/users/import"
    return await world.client.post(path, content=content, params=query, headers=headers)


async def invited(world: World, group: UserGroup) -> set[tuple[str | None, str, str]]:
    async with transaction(world.sessionmaker) as db:
        invitations = await db.exec(select(Invitation).where(Invitation.group_id == group.id))
        return {(each.email, each.role, each.note) for each in invitations}


async def members(world: World, group: UserGroup) -> dict[str, str]:
    async with transaction(world.sessionmaker) as db:
        statement = select(User.email, Membership.role).join(Membership).where(Membership.group_id == group.id)
        return {email.split("@")[0]: role for email, role in await db.exec(statement)}


async def events(world: World, group: UserGroup) -> Counter[str]:
    async with transaction(world.sessionmaker) as db:
        actions = await db.exec(select(AuditEvent.action).where(AuditEvent.group_id == group.id))
        return Counter(actions)


def rows_of(response: Response) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(response.text, newline="")))


async def user_named(world: World, name: str) -> User:
    async with transaction(world.sessionmaker) as db:
        return (await db.exec(select(User).where(User.email == f"{name}@{DOMAIN}"))).one()
