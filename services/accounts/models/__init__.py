"""What is stored. Importing this package registers every table: Alembic and the mappers see what stands here."""

from accounts.models.base import Base, Entity
from accounts.models.group import Membership, Role, UserGroup, Visibility
from accounts.models.token import OneTimeToken, Purpose
from accounts.models.user import User

__all__ = ["Base", "Entity", "Membership", "OneTimeToken", "Purpose", "Role", "User", "UserGroup", "Visibility"]
