"""Passkeys: sign in without a password, by your device's lock."""

import uuid
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter

from accounts.api.authentication import CurrentSession, CurrentUser
from accounts.api.dependencies import PasskeyManagerDep
from accounts.api.openapi import AUTHENTICATED, problems
from accounts.api.rate_limits import REAUTHENTICATION, ConfirmedPassword
from accounts.domain import errors
from accounts.models import Passkey
from accounts.schemas.passkeys import PasskeyCreate, PasskeyCreationOptions, PasskeyRead, PasskeyUpdate

router = APIRouter(prefix="/users/me/passkeys", tags=["passkeys"])


@router.post(
    "/options",
    summary="Begin to add a passkey",
    response_model=PasskeyCreationOptions,
    responses=problems(*AUTHENTICATED, errors.PasskeysUnavailable, errors.TooManyPasskeys, *REAUTHENTICATION),
)
async def begin_passkey(
    user: CurrentUser, current: CurrentSession, passkeys: PasskeyManagerDep, current_password: ConfirmedPassword
) -> dict[str, Any]:
    """Get the options for `navigator.credentials.create()`. They are for this session, and valid for five minutes.

    Requires a recent sign-in or `current_password`; of users with a second factor, a recent sign-in with it.
    """
    return await passkeys.begin(user, current, current_password)


@router.post(
    "",
    summary="Add a passkey",
    status_code=HTTPStatus.CREATED,
    response_model=PasskeyRead,
    responses=problems(
        *AUTHENTICATED,
        errors.BadPasskey,
        errors.PasskeysUnavailable,
        errors.UserNotFound,
        errors.SessionNotFound,
        errors.PasskeyExists,
        errors.TooManyPasskeys,
    ),
)
async def add_passkey(
    body: PasskeyCreate, user: CurrentUser, current: CurrentSession, passkeys: PasskeyManagerDep
) -> Passkey:
    """Add the passkey that your browser has created for the options.

    From then on, your password alone no longer signs you in: it takes a passkey or a recovery code as well, or just a
    passkey. If you had no second factor, your other sessions end. You get a notice by mail. You can have 20 passkeys.
    """
    return await passkeys.add(user, current, body.name, body.passkey)


@router.get("", summary="List my passkeys", response_model=list[PasskeyRead], responses=problems(*AUTHENTICATED))
async def list_passkeys(user: CurrentUser, passkeys: PasskeyManagerDep) -> Sequence[Passkey]:
    """List your passkeys, the oldest first."""
    return await passkeys.list(user)


@router.patch(
    "/{passkey_id:uuid}",
    summary="Rename a passkey",
    response_model=PasskeyRead,
    responses=problems(*AUTHENTICATED, errors.PasskeyNotFound),
)
async def rename_passkey(
    passkey_id: uuid.UUID, body: PasskeyUpdate, user: CurrentUser, passkeys: PasskeyManagerDep
) -> Passkey:
    """Change the name of a passkey."""
    return await passkeys.rename(user, passkey_id, body.name)


@router.delete(
    "/{passkey_id:uuid}",
    summary="Remove a passkey",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems(*AUTHENTICATED, errors.PasskeyNotFound, errors.LastWayIn, *REAUTHENTICATION),
)
async def remove_passkey(
    passkey_id: uuid.UUID,
    user: CurrentUser,
    current: CurrentSession,
    passkeys: PasskeyManagerDep,
    current_password: ConfirmedPassword,
) -> None:
    """Remove a passkey, and end your other sessions.

    Requires a recent sign-in with a second factor. You get a notice by mail.
    """
    await passkeys.remove(user, passkey_id, current, current_password)
