"""FastAPI FullAuth with SQLModel. ``python -m benchmarks.peers.fullauth_app 1000 PASSWORD`` creates its users."""

import os
import sys

from fastapi import FastAPI
from fastapi_fullauth import FullAuth, FullAuthConfig
from fastapi_fullauth.adapters import SQLModelAdapter
from fastapi_fullauth.core.crypto import hash_password
from fastapi_fullauth.models.sqlmodel import RefreshTokenMixin, UserMixin
from sqlmodel import Relationship, SQLModel

from benchmarks.peers.database import create, sessionmaker


class RefreshToken(RefreshTokenMixin, table=True):  # type: ignore[misc, call-arg]  # not installed where types are checked
    """A refresh token."""


class User(UserMixin, table=True):  # type: ignore[misc, call-arg]
    """A user."""

    refresh_tokens: list[RefreshToken] = Relationship()


# Its limits for one client would refuse the load.
config = FullAuthConfig(
    SECRET_KEY=os.environ["SECRET_KEY"], ACCESS_TOKEN_EXPIRE_MINUTES=24 * 60, AUTH_RATE_LIMIT_ENABLED=False
)
adapter = SQLModelAdapter(session_maker=sessionmaker, user_model=User, refresh_token_model=RefreshToken)
app = FastAPI()
FullAuth(adapter=adapter, config=config).init_app(app)

if __name__ == "__main__":
    create(SQLModel.metadata, User, hash_password(sys.argv[2]), ["email"])
