"""crudauth with bearer tokens. ``python -m benchmarks.peers.crudauth_app 1000 PASSWORD`` creates tables and users."""

import os
import sys

from crudauth import BearerTransport, CRUDAuth
from crudauth.models import AuthUserMixin
from crudauth.ratelimit import LockoutConfig
from crudauth.utils.hashing import get_password_hash
from fastapi import FastAPI
from sqlalchemy.orm import DeclarativeBase

from benchmarks.peers.database import create, get_session


class Base(DeclarativeBase):
    """The declarative base."""


class User(Base, AuthUserMixin):  # type: ignore[misc]  # the library is not installed where types are checked
    """A user."""

    __tablename__ = "users"


auth = CRUDAuth(
    session=get_session,
    user_model=User,
    SECRET_KEY=os.environ["SECRET_KEY"],
    transports=[BearerTransport(access_ttl=24 * 3600, refresh="body")],
    lockout=LockoutConfig(max_attempts=1_000_000),  # it would refuse so many sign-ins at once
    warn_on_memory_backend=False,
)
app = FastAPI()
app.include_router(auth.router)

if __name__ == "__main__":
    create(Base.metadata, User, get_password_hash(sys.argv[2]), ["email", "username"])
