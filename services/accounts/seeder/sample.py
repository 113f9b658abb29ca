"""The sample data: groups 1, 2 and 3 and their members."""

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import BigInteger, func
from sqlmodel import col, select

from accounts.db.session import Session
from accounts.domain.groups.groups import GroupManager
from accounts.domain.groups.membership import add_member
from accounts.domain.identity.users import UserManager
from accounts.domain.sample_users.published_password import PASSWORD
from accounts.models import Role, User, UserGroup, Visibility
from accounts.schemas.groups import GroupCreate
from accounts.schemas.identity.users import SuperuserCreate

SUPERUSER = "arthur@example.com"


class Person(NamedTuple):
    """A sample user."""

    email: str
    display_name: str
    is_superuser: bool = False
    is_verified: bool = True


def _group(name: str, description: str) -> GroupCreate:
    return GroupCreate(name=name, description=description, visibility=Visibility.PUBLIC)


PEOPLE = (
    Person(SUPERUSER, "Arthur Pendragon", is_superuser=True),
    Person("guinevere@example.com", "Guinevere"),
    Person("merlin@example.com", "Merlin"),
    Person("lancelot@example.com", "Lancelot du Lac"),
    Person("galahad@example.com", "Galahad"),
    Person("mordred@example.com", "Mordred", is_verified=False),
)
GROUPS = (
    _group("Admin", "Manage users and groups"),
    _group("Developer", "Build and run the services"),
    _group("Guest", "Take a look around"),
)
ROLES = {
    "Admin": {SUPERUSER: Role.OWNER, "guinevere@example.com": Role.ADMIN},
    "Developer": {
        "merlin@example.com": Role.OWNER,
        "lancelot@example.com": Role.ADMIN,
        "galahad@example.com": Role.MEMBER,
        SUPERUSER: Role.MEMBER,
    },
    "Guest": {
        "guinevere@example.com": Role.OWNER,
        "galahad@example.com": Role.MEMBER,
        "mordred@example.com": Role.MEMBER,
    },
}

NEXT_ID = select(func.nextval(func.pg_get_serial_sequence("user_group", "id"), type_=BigInteger))


@dataclass(frozen=True, slots=True)
class Sample:
    """The id of each sample group, and how many rows of each kind were created."""

    group_ids: dict[str, int] = field(default_factory=dict)
    created: Counter[str] = field(default_factory=Counter)


async def create(users: UserManager) -> Sample:
    """Create the missing sample data. Existing rows stay unchanged."""
    groups, sample = GroupManager(users.db), Sample()
    people = {person.email: await _user(users, person, sample) for person in PEOPLE}
    for wanted_id, group_create in enumerate(GROUPS, start=1):
        roles = ROLES[group_create.name]
        owner = people[next(iter(roles))]
        group_id = await _user_group(groups, group_create, owner, wanted_id, sample)
        sample.group_ids[group_create.name] = group_id
        for email, role in roles.items():
            sample.created["memberships"] += await add_member(users.db, group_id, people[email].id, role)
    return sample


async def _user(users: UserManager, person: Person, sample: Sample) -> User:
    existing = await users.adapter.get_by_email(person.email)
    sample.created["users"] += existing is None
    return existing or await users.create(SuperuserCreate(password=PASSWORD, **person._asdict()))


async def _user_group(
    groups: GroupManager, group_create: GroupCreate, owner: User, wanted_id: int, sample: Sample
) -> int:
    same_name = select(UserGroup.id).where(func.lower(UserGroup.name) == func.lower(group_create.name))
    existing = (await groups.db.exec(same_name.order_by(col(UserGroup.id)).limit(1))).one_or_none()
    sample.created["groups"] += existing is None
    if existing is not None:
        return existing
    group = await groups.create(group_create, owner, await _reserve_id(groups.db, wanted_id))
    sample.created["memberships"] += 1
    return group.id


async def _reserve_id(db: Session, wanted_id: int) -> int | None:
    """Return the id if it is free, with the identity advanced beyond it; otherwise None, for the identity's next id.

    The documentation names the ids 1 to 3, and a rolled-back run leaves the identity advanced, so ids are set
    explicitly. ``nextval`` is safe under concurrency; ``setval`` could issue an id twice.
    """
    if (await db.exec(select(UserGroup.id).where(col(UserGroup.id) == wanted_id))).one_or_none():
        return None
    while (await db.exec(NEXT_ID)).one() < wanted_id:
        pass
    return wanted_id
