"""What people do with their account, from beginning to end."""

from support.browser_stories import Story
from support.chromium import needs_chromium
from support.people import PASSWORD

ELAINE, NEW_ELAINE = "elaine@astolat.example.com", "elaine@camelot.example.com"
NEW_PASSWORD = "lancelot-and-elaine"
pytestmark = needs_chromium


async def test_person_signs_up_confirms_the_email_and_signs_in(story: Story) -> None:
    elaine = await story.visitor()
    await elaine.open("/account/sign-in")
    await elaine.sees("Sign in")
    await elaine.follow("Create one")
    await elaine.sees("Create an account")
    await elaine.fill("Email address", ELAINE)
    await elaine.fill("Name", "Elaine")
    await elaine.fill("Password", "password1234")
    await elaine.press("Create account")
    await elaine.sees("Create an account", status=400)
    await elaine.fill("Password", PASSWORD)
    await elaine.press("Create account")
    await elaine.sees("Check your email")

    await elaine.open(await story.mailed_link(ELAINE))
    await elaine.sees("Confirm your email address")
    await elaine.press("Confirm email address")
    await elaine.sees("Email address confirmed")
    await elaine.follow("Continue")
    await elaine.sign_in(ELAINE)
