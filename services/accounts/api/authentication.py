"""Who is calling: FastAPI Users' bearer transport and JWT strategy, as dependencies."""

import uuid
from typing import Annotated

from fastapi import Depends, Request
from fastapi_users import FastAPIUsers
from fastapi_users.authentication import AuthenticationBackend, BearerTransport, JWTStrategy

from accounts.api.dependencies import get_user_manager
from accounts.models import User


def get_strategy(request: Request) -> JWTStrategy[User, uuid.UUID]:
    """Make the strategy that writes and reads access tokens."""
    settings = request.state.settings
    return JWTStrategy(settings.secret_key.get_secret_value(), settings.access_token_seconds)


backend = AuthenticationBackend("jwt", BearerTransport("auth/jwt/login"), get_strategy)
_users = FastAPIUsers[User, uuid.UUID](get_user_manager, [backend])

StrategyDep = Annotated[JWTStrategy[User, uuid.UUID], Depends(get_strategy)]
current_superuser = _users.current_user(active=True, superuser=True)
CurrentUser = Annotated[User, Depends(_users.current_user(active=True))]
Viewer = Annotated[User | None, Depends(_users.current_user(active=True, optional=True))]
