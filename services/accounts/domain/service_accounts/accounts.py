"""Service accounts of a group: create, list, rename and delete. Their roles are changed like those of other members."""

import uuid
from dataclasses import replace

from sqlmodel import col, func, select
from uuid_utils.compat import uuid7

from accounts.db.session import Session
from accounts.domain import errors
from accounts.domain.audit.log import Action, record
from accounts.domain.groups.access import get_access, lock_group
from accounts.domain.groups.membership import add_member
from accounts.domain.groups.owned_accounts import MANAGE, lock_account, lock_for_deletion, only
from accounts.domain.identity.stored_hashes import UNUSABLE
from accounts.domain.keyset import Keyset
from accounts.models import Membership, Role, User
from accounts.models.identity import service_email
from accounts.schemas.pagination import Page, PageQuery
from accounts.schemas.service_accounts import ServiceAccountCreate, ServiceAccountRead, ServiceAccountUpdate

ACCOUNTS_PER_GROUP = 50
BY_ID = Keyset((col(User.id),), text=lambda row: str(row[0].id), parse=lambda text: (uuid.UUID(text),))
SELECT_ACCOUNTS = select(User, Membership.role).outerjoin(
    Membership, (col(Membership.user_id) == User.id) & (col(Membership.group_id) == User.owner_group_id)
)


class ServiceAccountManager:
    """Operations on the service accounts of a group. Methods run in the caller's transaction.

    Every method raises GroupNotFound or GroupForbidden if the actor lacks the permission. Those that change something
    raise UserNotFound if the actor was deleted or deactivated meanwhile.
    """

    def __init__(self, db: Session) -> None:
        self.db = db

    async def create(self, group_id: int, create: ServiceAccountCreate, actor: User) -> ServiceAccountRead:
        """Create a service account that is a member of the group. It can do nothing before it has a secret.

        Raises:
            TooManyServiceAccounts: the group has as many as are allowed.

        """
        await lock_group(self.db, group_id, actor, MANAGE)
        of_group = select(func.count()).where(col(User.owner_group_id) == group_id)
        if (await self.db.exec(of_group)).one() >= ACCOUNTS_PER_GROUP:
            raise errors.TooManyServiceAccounts
        account = _new_account(group_id, create.name)
        self.db.add(account)
        await self.db.flush()
        await record(self.db, Action.SERVICE_ACCOUNT_CREATED, user_id=account.id, group_id=group_id)
        await add_member(self.db, group_id, account.id, create.role)
        return _read(account, create.role)

    async def list(self, group_id: int, actor: User, query: PageQuery) -> Page[ServiceAccountRead]:
        """List the service accounts of a group, the oldest first.

        Raises:
            BadCursor: the cursor does not belong to this list.

        """
        await get_access(self.db, group_id, actor, MANAGE)
        page = await BY_ID.page(self.db, SELECT_ACCOUNTS.where(col(User.owner_group_id) == group_id), query)
        return replace(page, rows=[_read(*row) for row in page.rows])

    async def update(
        self, group_id: int, account_id: uuid.UUID, update: ServiceAccountUpdate, actor: User
    ) -> ServiceAccountRead:
        """Rename a service account.

        Raises:
            ServiceAccountNotFound: the group has no such service account.

        """
        await lock_account(self.db, group_id, account_id, actor)
        account, role = (await self.db.exec(SELECT_ACCOUNTS.where(col(User.id) == account_id))).one()
        if update.name not in {None, account.display_name}:
            account.display_name = update.name
            await self.db.flush()
            changed = {"changed": ["display_name"]}
            await record(self.db, Action.SERVICE_ACCOUNT_CHANGED, user_id=account.id, group_id=group_id, **changed)
        return _read(account, role)

    async def delete(self, group_id: int, account_id: uuid.UUID, actor: User) -> None:
        """Delete a service account with its memberships and secrets. Its access tokens end at once.

        Raises:
            ServiceAccountNotFound: the group has no such service account.

        """
        _, accounts = await lock_for_deletion(self.db, group_id, actor, MANAGE, account_id)
        account = only(accounts)
        await record(self.db, Action.SERVICE_ACCOUNT_DELETED, user_id=account.id, group_id=group_id)
        await self.db.delete(account)
        await self.db.flush()


def _new_account(group_id: int, name: str) -> User:
    account_id = uuid7()
    return User(
        id=account_id,
        email=service_email(account_id),
        hashed_password=UNUSABLE,
        display_name=name,
        is_active=True,
        is_superuser=False,
        is_verified=True,
        owner_group_id=group_id,
    )


def _read(account: User, role: str | None) -> ServiceAccountRead:
    return ServiceAccountRead(
        id=account.id,
        name=account.display_name,
        role=Role(role) if role else None,
        is_active=account.is_active,
        created_at=account.created_at,
    )
