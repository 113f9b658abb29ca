"""What people do for the security of their accounts, from beginning to end."""

import pyotp
import pytest
from httpx2 import AsyncClient

from support.browser_stories import Story, Visitor
from support.chromium import needs_chromium
from support.people import PASSWORD
from support.second_factors import age

pytestmark = [needs_chromium, pytest.mark.slow(seconds=15)]


async def enter_code(story: Story, visitor: Visitor, app: pyotp.TOTP) -> None:
    """Enter the code of the app, which is accepted also if the last one was used in the same half minute."""
    await story.world.sql("UPDATE totp SET last_step = 0")
    await visitor.fill("Code from your authenticator app", app.now())


async def set_up_app(story: Story, visitor: Visitor) -> tuple[pyotp.TOTP, list[str]]:
    """Set an authenticator app up, and return it with the recovery codes."""
    await visitor.go_to("Security")
    await visitor.follow("Set up an authenticator app")
    await visitor.sees("Authenticator app")
    await visitor.press("Set up an authenticator app")
    await visitor.sees("Authenticator app")
    assert await visitor.main.locator("img.qr").evaluate("image => image.complete && image.naturalWidth") > 100
    app = pyotp.TOTP((await visitor.main.locator("code").inner_text()).replace(" ", ""))
    await enter_code(story, visitor, app)
    await visitor.press("Confirm")
    await visitor.sees("Your authenticator app is set up")
    codes = await visitor.main.locator("li code").all_inner_texts()
    await visitor.follow("I've saved them")
    await visitor.sees("Security")
    await visitor.reads("Codes left: %(number)s", number=10)
    return app, codes


async def use_recovery_code(visitor: Visitor, code: str) -> None:
    await visitor.unfold("Use a recovery code")
    await visitor.fill("Recovery code", code)
    await visitor.press("Continue with a recovery code")


async def renew_recovery_codes(visitor: Visitor, code: str) -> None:
    """Create new recovery codes, for which an old one shows who uses the session."""
    await visitor.go_to("Security")
    await visitor.reads("Codes left: %(number)s", number=9)
    await visitor.follow("Create new recovery codes")
    await visitor.sees("Recovery codes")
    await visitor.press("Create new recovery codes")
    await visitor.sees("Confirm that it's you")
    await use_recovery_code(visitor, code)
    await visitor.sees("Recovery codes")
    await visitor.press("Create new recovery codes")
    await visitor.sees("Your new recovery codes")
    await visitor.follow("I've saved them")


async def test_person_uses_an_authenticator_app_and_gets_in_without_the_phone(story: Story) -> None:
    arthur = await story.world.user("arthur", is_verified=True)
    visitor = await story.signed_in(arthur)
    app, codes = await set_up_app(story, visitor)

    await visitor.sign_out()
    await visitor.sign_in(arthur, then="Second factor")
    await visitor.fill("Code from your authenticator app", "000000")
    await visitor.press("Continue")
    await visitor.sees("Second factor", status=400)
    await enter_code(story, visitor, app)
    await visitor.press("Continue")
    await visitor.sees("Your account")

    await visitor.sign_out()
    await visitor.sign_in(arthur, then="Second factor")
    await use_recovery_code(visitor, codes[0].lower())
    await visitor.sees("Your account")
    await age(story.world)
    await renew_recovery_codes(visitor, codes[1])

    await visitor.follow("Remove the authenticator app")
    await visitor.sees("Authenticator app")
    await visitor.press("Remove the authenticator app")
    await visitor.sees("Your authenticator app has been removed")
    await visitor.follow("Security")
    await visitor.sees("Security")
    await visitor.reads("Set up an authenticator app")
    await visitor.go_to("Activity")
    for sentence in ("Authenticator app added", "Recovery code used", "Authenticator app removed"):
        await visitor.reads(sentence)


async def test_person_gives_a_program_a_token_and_takes_it_away(story: Story) -> None:
    visitor = await story.signed_in(await story.world.user("arthur", is_verified=True))
    await age(story.world)
    await visitor.go_to("Access tokens")
    await visitor.sees("Access tokens")
    await visitor.follow("Create a token")
    await visitor.sees("Confirm that it's you")
    await visitor.fill("Current password", PASSWORD)
    await visitor.press("Continue")
    await visitor.sees("Create an access token")
    await visitor.fill("Name", "nightly report")
    await visitor.press("Create token")
    await visitor.sees("Create an access token", status=422)
    await visitor.reads("Choose at least one.")
    await visitor.check("Read your profile and your account's activity")
    await visitor.choose("It expires after", "30 days")
    await visitor.press("Create token")
    await visitor.sees("Access token created")
    token = await visitor.main.locator("code").inner_text()
    await visitor.follow("Done")
    await visitor.sees("Access tokens")
    assert token not in await visitor.page.content()

    async with AsyncClient(base_url=story.url, headers={"Authorization": f"Bearer {token}"}) as program:
        assert (await program.get("/users/me")).json()["email"] == "arthur@camelot.example.com"
        assert (await program.get("/users/me/groups")).status_code == 403
        await visitor.press("Revoke %(name)s", name="nightly report")
        await visitor.sees("Access tokens")
        await visitor.reads("You've revoked the access token %(name)s.", name="nightly report")
        assert (await program.get("/users/me")).status_code == 401
    await visitor.reads("You have no access tokens.")
