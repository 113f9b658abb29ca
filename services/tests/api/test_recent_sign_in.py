"""Which operations and pages take a recent sign-in. A new one fails here until it is in one of the lists."""

from accounts.models import Role
from support.account_pages import enter
from support.operations import PATH_VALUES, operations, page_operations
from support.people import World
from support.second_factors import age

# Sensitive: credentials, the rights and the end of accounts, and who owns a group.
RECENT = {
    "DELETE /user-groups/{group_id}",
    "DELETE /user-groups/{group_id}/users/{user_id}",  # of another owner
    "DELETE /users/me",
    "DELETE /users/me/identities/{identity_id}",
    "DELETE /users/me/passkeys/{passkey_id}",
    "DELETE /users/me/totp",
    "DELETE /users/{user_id}",
    "DELETE /users/{user_id}/factors",
    "DELETE /users/{user_id}/sessions",
    "DELETE /users/{user_id}/tokens",
    "PATCH /user-groups/{group_id}/users/{user_id}",  # to or from owner
    "PATCH /users/me",
    "PATCH /users/{user_id}",
    "POST /auth/elevate",
    "POST /user-groups/{group_id}/invitations",  # as an owner
    "POST /user-groups/{group_id}/service-accounts/{account_id}/secrets",
    "POST /user-groups/{group_id}/transfer",
    "POST /users",
    "POST /users/import",
    "POST /users/me/passkeys/options",
    "POST /users/me/recovery-codes",
    "POST /users/me/tokens",
    "POST /users/me/totp",
    "POST /users/me/totp/confirm",
    "POST /users/{user_id}/require-new-password",
    "PUT /user-groups/{group_id}/users/{user_id}",  # to or from owner
}
# What can be repeated or taken back, what a token proves, and what ends access. None gives anyone more rights.
AT_ANY_TIME = {
    "DELETE /auth/sessions",
    "DELETE /auth/sessions/{session_id}",
    "DELETE /user-groups/{group_id}/invitations/{invitation_id}",
    "DELETE /user-groups/{group_id}/service-accounts/{account_id}",
    "DELETE /user-groups/{group_id}/service-accounts/{account_id}/secrets/{secret_id}",
    "DELETE /users/me/email-change",
    "DELETE /users/me/invitations/{invitation_id}",
    "DELETE /users/me/tokens/{token_id}",
    "PATCH /user-groups/{group_id}",
    "PATCH /user-groups/{group_id}/service-accounts/{account_id}",
    "PATCH /users/me/passkeys/{passkey_id}",
    "PATCH /users/me/tokens/{token_id}",
    "POST /auth/cookie/logout",
    "POST /auth/elevate/passkey-options",
    "POST /auth/jwt/logout",
    "POST /invitations/accept",
    "POST /oauth/introspect",
    "POST /user-groups",
    "POST /user-groups/{group_id}/invitations/{invitation_id}/resend",
    "POST /user-groups/{group_id}/service-accounts",
    "POST /user-groups/{group_id}/users/import",
    "POST /users/me/email-change/resend",
    "POST /users/me/invitations/{invitation_id}/accept",
    "POST /users/me/passkeys",  # its options took one
}
# Forms that are lost if only their button asks. Other pages ask when their button is pressed.
PAGES = {
    "/account/authenticator-app",
    "/account/change-email",
    "/account/groups/{group_id}/delete",
    "/account/groups/{group_id}/transfer",
    "/account/new-token",
    "/admin/groups/{group_id}/delete",
    "/admin/groups/{group_id}/owner",
    "/admin/users/{user_id}/{action}",
}


def test_every_operation_that_changes_something_has_decided() -> None:
    changing = [each for each in operations() if not each.is_safe and each.needs_user]
    asking = {
        f"{each.method.upper()} {each.path}": "REAUTHENTICATION_REQUIRED" in str(each.description["responses"])
        for each in changing
    }

    assert {name for name, asks in asking.items() if asks} == RECENT
    assert {name for name, asks in asking.items() if not asks} == AT_ANY_TIME


async def test_page_of_a_sensitive_action_asks_before_it_is_shown(world: World) -> None:
    arthur = await world.user("arthur", superuser=True)
    bors = await world.user("bors")
    group = await world.group("Round Table", members={arthur: Role.OWNER, bors: Role.MEMBER})
    values = PATH_VALUES | {"group_id": str(group.id), "user_id": str(bors.id)}
    headers = {"Cookie": await enter(world, arthur.email)}
    await age(world)

    asking = set()
    for each in page_operations():
        if each.method == "get":
            answer = await world.client.get(each.path.format_map(values), headers=headers)
            if answer.headers.get("location", "").startswith("/account/confirm"):
                asking.add(each.path)

    assert asking == PAGES
