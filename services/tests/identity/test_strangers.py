"""What a stranger leaves at an address that was never verified ends when its owner comes."""

from sqlmodel import col, select

from accounts.models import User
from accounts.settings import SignUp
from support.mailed_codes import Codes
from support.passkeys import PasskeyUser
from support.passkeys import sign_in as sign_in_with_passkey
from support.people import PASSWORD, World
from support.second_factors import add_app, user_with_app

VICTIM, NEW_PASSWORD = "victim@camelot.example.com", "the-owner-of-the-mailbox"


async def register(world: World) -> dict[str, str]:
    """Sign a stranger up with the address of someone else, and return the headers of the stranger's session."""
    world.change_settings(sign_up=SignUp.OPEN)
    registered = await world.client.post("/auth/register", json={"email": VICTIM, "password": PASSWORD})
    assert registered.status_code == 201
    return await world.sign_in(VICTIM)


async def reset(world: World, email: str) -> None:
    await world.client.post("/auth/forgot-password", json={"email": email})
    token = [token for kind, _, token in await world.tokens() if kind == "reset"][-1]
    answer = await world.client.post("/auth/reset-password", json={"token": token, "password": NEW_PASSWORD})
    assert answer.status_code == 200


async def test_reset_of_an_address_that_was_never_verified_ends_a_strangers_passkey(world: World) -> None:
    stranger = PasskeyUser(world, User(), await register(world))
    assert (await stranger.add()).status_code == 201

    await reset(world, VICTIM)

    assert (await sign_in_with_passkey(world, stranger.key)).status_code == 400
    assert (await world.login(VICTIM, NEW_PASSWORD)).status_code == 200


async def test_reset_of_an_address_that_was_never_verified_ends_a_strangers_authenticator_app(world: World) -> None:
    await add_app(world, await register(world))

    await reset(world, VICTIM)

    assert (await world.login(VICTIM, NEW_PASSWORD)).status_code == 200


async def test_reset_of_a_verified_user_keeps_the_second_factor(world: World) -> None:
    await user_with_app(world, is_verified=True)

    await reset(world, "arthur@camelot.example.com")

    assert (await world.login("arthur@camelot.example.com", NEW_PASSWORD)).status_code == 403


async def test_address_that_a_superuser_changes_keeps_the_second_factor_of_its_user(world: World) -> None:
    """The new one is not verified, but the user is no stranger: a mailed code and a reset ask for the factor."""
    await user_with_app(world, is_verified=True)
    merlin = await world.sign_in(await world.user("merlin", superuser=True))
    async with world.sessionmaker() as db:
        user_id = (await db.exec(select(User.id).where(col(User.email).startswith("arthur")))).one()
    email = "arthru@camelot.example.com"
    changed = await world.client.patch(f"/users/{user_id}", json={"email": email}, headers=merlin)
    assert changed.json()["is_verified"] is False
    codes = Codes(world)

    by_code = await codes.send(*await codes.requested(email))
    await reset(world, email)

    assert by_code.json()["detail"] == "MFA_REQUIRED"
    assert (await world.login(email, NEW_PASSWORD)).status_code == 403
