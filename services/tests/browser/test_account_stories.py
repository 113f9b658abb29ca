"""What people do with their accounts, from beginning to end."""

import json

import pytest

from accounts.models import Role
from accounts.translations import get_language
from support.browser_stories import Story, Visitor
from support.chromium import needs_chromium
from support.people import PASSWORD
from support.second_factors import age

ELAINE, NEW_ELAINE = "elaine@astolat.example.com", "elaine@camelot.example.com"
NEW_PASSWORD = "lancelot-and-elaine"
OTHER = {"en": "de", "de": "en"}
pytestmark = [needs_chromium, pytest.mark.slow(seconds=15)]


async def sign_up(story: Story, visitor: Visitor) -> None:
    await visitor.open("/account")
    await visitor.sees("Sign in")
    await visitor.follow("Create one")
    await visitor.sees("Create an account")
    await visitor.fill("Email address", ELAINE)
    await visitor.fill("Name", "Elaine")
    await visitor.fill("Password", "password1234")
    await visitor.press("Create account")
    await visitor.sees("Create an account", status=400)
    await visitor.reads("Please check the fields marked below.")
    await visitor.reads("This password is too easy to guess. Try several unrelated words.")
    await visitor.fill("Password", PASSWORD)
    await visitor.press("Create account")
    await visitor.sees("Check your email")

    [letter] = await story.letters(ELAINE)
    assert visitor.text("Not you? Ignore this email: the address stays unconfirmed.") in " ".join(letter.split())
    await visitor.open(await story.mailed_link(ELAINE))
    await visitor.sees("Confirm your email address")
    await visitor.press("Confirm email address")
    await visitor.sees("Email address confirmed")
    await visitor.follow("Continue")
    await visitor.sees("Sign in")


async def change_name_and_language(visitor: Visitor) -> None:
    """Choose the other language in the profile, and go back to the first one with the footer."""
    first, other = visitor.language, get_language(OTHER[visitor.language.tag])
    await visitor.go_to("Profile")
    await visitor.sees("Profile")
    await visitor.fill("Name", "Elaine of Astolat")
    await visitor.choose("Language", other.name)
    await visitor.press("Save")
    visitor.language = other
    await visitor.sees("Profile")
    await visitor.reads("Your profile was saved.")
    await visitor.go_to("Overview")
    await visitor.sees("Your account")
    await visitor.reads("Elaine of Astolat")
    await visitor.use(visitor.page.get_by_role("contentinfo").get_by_role("button", name=first.name))
    visitor.language = first
    await visitor.sees("Your account")


async def change_email(story: Story, visitor: Visitor) -> None:
    await visitor.go_to("Profile")
    await age(story.world)
    await visitor.follow("Change your email address")
    await visitor.sees("Confirm that it's you")
    await visitor.fill("Current password", PASSWORD)
    await visitor.press("Continue")
    await visitor.sees("Change your email address")
    await visitor.fill("New email address", NEW_ELAINE)
    await visitor.press("Send link")
    await visitor.sees("Profile")
    await visitor.reads(
        "Waiting for you to confirm %(email)s: open the link in the email that we sent there. Until then, your "
        "email address stays %(address)s.",
        email=NEW_ELAINE,
        address=ELAINE,
    )

    await visitor.open(await story.mailed_link(NEW_ELAINE))
    await visitor.sees("Confirm your new email address")
    await visitor.press("Confirm new email address")
    await visitor.sees("New email address confirmed")
    await visitor.follow("Sign in")
    await visitor.sees("Sign in")


async def change_password(visitor: Visitor) -> None:
    await visitor.go_to("Security")
    await visitor.sees("Security")
    await visitor.follow("Change your password")
    await visitor.sees("Change your password")
    await visitor.fill("Current password", "not-the-password")
    await visitor.fill("New password", NEW_PASSWORD)
    await visitor.press("Set new password")
    await visitor.sees("Change your password", status=400)
    await visitor.reads("This isn't your current password.")
    await visitor.fill("Current password", PASSWORD)
    await visitor.fill("New password", NEW_PASSWORD)
    await visitor.press("Set new password")
    await visitor.sees("Your password has been changed")
    await visitor.follow("Your account")
    await visitor.sees("Your account")


async def test_person_signs_up_and_looks_after_the_account(story: Story) -> None:
    elaine = await story.visitor()
    await sign_up(story, elaine)
    await elaine.sign_in(ELAINE)
    assert elaine.text("Not confirmed") not in await elaine.main.inner_text()
    await change_name_and_language(elaine)
    await change_email(story, elaine)
    await elaine.sign_in(NEW_ELAINE)
    await change_password(elaine)

    await elaine.go_to("Activity")
    await elaine.sees("Activity")
    for sentence in ("Password changed", "Email address changed", "Account changed", "Signed in", "Account created"):
        await elaine.reads(sentence)

    at_library = await story.visitor()
    await at_library.sign_in(NEW_ELAINE, NEW_PASSWORD)
    await elaine.go_to("Devices")
    await elaine.sees("Devices and sessions")
    other_device = elaine.row("Chrom").filter(has_not_text=elaine.text("This device"))
    await elaine.use(other_device.get_by_role("button"))
    await elaine.sees("Devices and sessions")
    await elaine.reads("The device was signed out.")
    await at_library.go_to("Profile")
    await at_library.sees("Sign in")

    await elaine.sign_out()
    await elaine.follow("Sign in again")
    await elaine.sees("Sign in")


async def test_person_takes_the_data_hands_over_the_group_and_deletes_the_account(story: Story) -> None:
    arthur = await story.world.user("arthur", is_verified=True)
    lancelot = await story.world.user("lancelot", is_verified=True)
    await story.world.group("Round Table", members={arthur: Role.OWNER, lancelot: Role.MEMBER})
    visitor = await story.signed_in(arthur)
    await visitor.go_to("Your data")
    await visitor.sees("Your data")
    assert arthur.email in json.dumps(json.loads(await visitor.download("Download your data")))
    await visitor.follow("Delete your account")
    await visitor.sees("Delete the account %(address)s?", address=arthur.email)
    await visitor.reads(
        "You can't delete your account yet, because you're the only active owner of these groups. Make another member "
        "an owner, or delete the group:"
    )
    await visitor.follow("Round Table")
    await visitor.sees("Round Table")
    await visitor.follow("Hand over")
    await visitor.sees("Hand over %(group)s", group="Round Table")
    await visitor.check("Lancelot")
    await visitor.press("Hand over group")
    await visitor.sees("Round Table")

    await age(story.world)
    await visitor.go_to("Your data")
    await visitor.follow("Delete your account")
    await visitor.sees("Confirm that it's you")
    await visitor.fill("Current password", PASSWORD)
    await visitor.press("Continue")
    await visitor.sees("Delete the account %(address)s?", address=arthur.email)
    await visitor.press("Delete your account for good")
    await visitor.sees("Your account has been deleted")
    await visitor.follow("Back to sign-in")
    await visitor.sees("Sign in")
    await visitor.fill("Email address", arthur.email)
    await visitor.fill("Password", PASSWORD)
    await visitor.press("Sign in")
    await visitor.sees("Sign in", status=400)
    await visitor.reads("That email address and password don't match.")
