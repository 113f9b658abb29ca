"""The scope that programs need for each route. Routes that are not in the table refuse programs.

Programs are access keys and service accounts. Sign-ins of people have the scope ``account``, which implies all others.
"""

from fastapi import Request

from accounts.domain import errors
from accounts.domain.groups.permissions import REQUIRED_SCOPE, Permission
from accounts.models import Scope

NOT_FOR_PROGRAMS = None
# By method and path. A permission stands for its scope. Credentials are not for programs, so that a stolen key creates
# no other key, takes over no account, and satisfies no step-up authentication.
ROUTES: dict[str, Permission | Scope | None] = {
    "POST /auth/jwt/logout": NOT_FOR_PROGRAMS,
    "POST /auth/cookie/logout": NOT_FOR_PROGRAMS,
    "POST /auth/elevate": NOT_FOR_PROGRAMS,
    "POST /auth/elevate/passkey-options": NOT_FOR_PROGRAMS,
    "GET /auth/associate/{provider}/authorize": NOT_FOR_PROGRAMS,
    "GET /auth/reauthenticate/{provider}/authorize": NOT_FOR_PROGRAMS,
    "GET /users/me/identities": NOT_FOR_PROGRAMS,
    "DELETE /users/me/identities/{identity_id}": NOT_FOR_PROGRAMS,
    "GET /auth/sessions": NOT_FOR_PROGRAMS,
    "DELETE /auth/sessions": NOT_FOR_PROGRAMS,
    "DELETE /auth/sessions/{session_id}": NOT_FOR_PROGRAMS,
    "GET /authenticated-route": Scope.PROFILE_READ,
    "GET /users/me": Scope.PROFILE_READ,
    "PATCH /users/me": NOT_FOR_PROGRAMS,
    "DELETE /users/me": NOT_FOR_PROGRAMS,
    "GET /users/me/email-change": NOT_FOR_PROGRAMS,
    "POST /users/me/email-change/resend": NOT_FOR_PROGRAMS,
    "DELETE /users/me/email-change": NOT_FOR_PROGRAMS,
    "GET /users/me/activity": Scope.PROFILE_READ,
    "GET /users/me/export": NOT_FOR_PROGRAMS,
    "GET /users/me/tokens": NOT_FOR_PROGRAMS,
    "POST /users/me/tokens": NOT_FOR_PROGRAMS,
    "PATCH /users/me/tokens/{token_id}": NOT_FOR_PROGRAMS,
    "DELETE /users/me/tokens/{token_id}": NOT_FOR_PROGRAMS,
    "GET /users/me/factors": NOT_FOR_PROGRAMS,
    "POST /users/me/recovery-codes": NOT_FOR_PROGRAMS,
    "POST /users/me/totp": NOT_FOR_PROGRAMS,
    "POST /users/me/totp/confirm": NOT_FOR_PROGRAMS,
    "DELETE /users/me/totp": NOT_FOR_PROGRAMS,
    "POST /users/me/passkeys/options": NOT_FOR_PROGRAMS,
    "POST /users/me/passkeys": NOT_FOR_PROGRAMS,
    "GET /users/me/passkeys": NOT_FOR_PROGRAMS,
    "PATCH /users/me/passkeys/{passkey_id}": NOT_FOR_PROGRAMS,
    "DELETE /users/me/passkeys/{passkey_id}": NOT_FOR_PROGRAMS,
    "GET /users": Scope.USERS_READ,
    "POST /users": NOT_FOR_PROGRAMS,
    "POST /users/import": NOT_FOR_PROGRAMS,
    "GET /users/{user_id}": Scope.USERS_READ,
    "PATCH /users/{user_id}": NOT_FOR_PROGRAMS,
    "DELETE /users/{user_id}": NOT_FOR_PROGRAMS,
    "DELETE /users/{user_id}/sessions": NOT_FOR_PROGRAMS,
    "POST /users/{user_id}/require-new-password": NOT_FOR_PROGRAMS,
    "DELETE /users/{user_id}/tokens": NOT_FOR_PROGRAMS,
    "DELETE /users/{user_id}/factors": NOT_FOR_PROGRAMS,
    "GET /audit": Scope.USERS_READ,
    "GET /user-groups": Permission.SEE,
    "POST /user-groups": Scope.GROUPS_WRITE,
    "GET /user-groups/{group_id}": Permission.SEE,
    "GET /user-groups/{group_id}/assurance": Permission.SEE_ASSURANCE,
    "PATCH /user-groups/{group_id}": Permission.UPDATE,
    "DELETE /user-groups/{group_id}": Permission.DELETE,
    "GET /users/me/groups": Permission.SEE,
    "GET /user-groups/{group_id}/users": Permission.LIST_MEMBERS,
    "PUT /user-groups/{group_id}/users/{user_id}": Permission.CHANGE_ROLES,
    "PATCH /user-groups/{group_id}/users/{user_id}": Permission.CHANGE_ROLES,
    "DELETE /user-groups/{group_id}/users/{user_id}": Permission.REMOVE_MEMBERS,
    "POST /user-groups/{group_id}/transfer": Permission.TRANSFER,
    "GET /user-groups/{group_id}/users/export": Permission.EXPORT,
    "POST /user-groups/{group_id}/users/import": Permission.IMPORT,
    "POST /user-groups/{group_id}/invitations": Permission.INVITE,
    "GET /user-groups/{group_id}/invitations": Scope.MEMBERS_READ,
    "POST /user-groups/{group_id}/invitations/{invitation_id}/resend": Permission.INVITE,
    "DELETE /user-groups/{group_id}/invitations/{invitation_id}": Permission.INVITE,
    "GET /user-groups/{group_id}/service-accounts": NOT_FOR_PROGRAMS,
    "POST /user-groups/{group_id}/service-accounts": NOT_FOR_PROGRAMS,
    "PATCH /user-groups/{group_id}/service-accounts/{account_id}": NOT_FOR_PROGRAMS,
    "DELETE /user-groups/{group_id}/service-accounts/{account_id}": NOT_FOR_PROGRAMS,
    "GET /user-groups/{group_id}/service-accounts/{account_id}/secrets": NOT_FOR_PROGRAMS,
    "POST /user-groups/{group_id}/service-accounts/{account_id}/secrets": NOT_FOR_PROGRAMS,
    "DELETE /user-groups/{group_id}/service-accounts/{account_id}/secrets/{secret_id}": NOT_FOR_PROGRAMS,
    "GET /users/me/invitations": Scope.MEMBERS_READ,
    "POST /users/me/invitations/{invitation_id}/accept": Scope.MEMBERS_WRITE,
    "DELETE /users/me/invitations/{invitation_id}": Scope.MEMBERS_WRITE,
    "POST /oauth/introspect": Scope.INTROSPECT,
    "POST /invitations/accept": NOT_FOR_PROGRAMS,  # it verifies the email
}


def required_scope(method: str, path: str) -> Scope | None:
    """Return the scope that programs need for a route, or None if they may not call it."""
    required = ROUTES.get(f"{method} {path}")
    return REQUIRED_SCOPE[required] if isinstance(required, Permission) else required


def require_scope(request: Request, scopes: frozenset[str]) -> None:
    """Raise unless the scopes of the caller's credential suffice for the route of a request.

    Raises:
        NotWithAKey: no program may call the route.
        InsufficientScope: the scope that the route requires is missing.

    """
    if Scope.ACCOUNT in scopes:
        return
    required = required_scope(request.method, request.scope["route"].path_format)
    if required is None:
        raise errors.NotWithAKey
    if required not in scopes:
        raise errors.InsufficientScope(required)
