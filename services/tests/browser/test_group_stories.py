"""What people do with their groups, from beginning to end."""

import pytest

from accounts.models import Role
from support.browser_stories import Story, Visitor
from support.chromium import needs_chromium
from support.member_imports import run_imports
from support.people import PASSWORD

ELAINE, GALAHAD, LANCELOT = "elaine@astolat.example.com", "galahad@astolat.example.com", "lancelot@camelot.example.com"
GROUP = "Round Table"
INVITATIONS = "Invitations to %(group)s"
IMPORT = "Import and export members of %(group)s"
FAULTY = b"email;role\nelaine@astolat.example.com;member\nnot an address;member\ngalahad@astolat.example.com;king\n"
CORRECT = b"email;role\nelaine@astolat.example.com;member\ngalahad@astolat.example.com;admin\n"
pytestmark = [needs_chromium, pytest.mark.slow(seconds=15)]


async def invite(visitor: Visitor, email: str, note: str) -> None:
    await visitor.fill("Email address", email)
    await visitor.fill("Note (optional)", note)
    await visitor.press("Send invitation")
    await visitor.sees(INVITATIONS, group=GROUP)
    await visitor.reads("The invitation is on its way. The list says what has become of its email.")


async def join_with_account(story: Story, visitor: Visitor) -> None:
    await visitor.open(await story.mailed_link(LANCELOT))
    await visitor.sees("You're invited")
    await visitor.follow("Sign in")
    await visitor.sees("Sign in")
    await visitor.fill("Email address", LANCELOT)
    await visitor.fill("Password", PASSWORD)
    await visitor.press("Sign in")
    await visitor.sees("You're invited")
    await visitor.press("Join group")
    await visitor.sees("Your groups")
    await visitor.reads("You've joined %(name)s.", name=GROUP)


async def join_without_account(story: Story, visitor: Visitor) -> None:
    await visitor.open(await story.mailed_link(ELAINE))
    await visitor.sees("You're invited")
    await visitor.follow("Create an account")
    await visitor.sees("Create an account")
    await visitor.fill("Email address", ELAINE)
    await visitor.fill("Name", "Elaine")
    await visitor.fill("Password", PASSWORD)
    await visitor.press("Create account")
    await visitor.sees("Thank you")
    await visitor.follow("Sign in")
    await visitor.sees("Sign in")
    await visitor.sign_in(ELAINE)
    await visitor.go_to("Groups")
    await visitor.sees("Your groups")
    await visitor.follow(GROUP)
    await visitor.sees(GROUP)


async def test_owner_founds_a_group_fills_it_hands_it_over_and_leaves(story: Story) -> None:
    arthur = await story.signed_in(await story.world.user("arthur", is_verified=True))
    await story.world.user("lancelot", is_verified=True)
    await arthur.go_to("Groups")
    await arthur.sees("Your groups")
    await arthur.follow("Create a group")
    await arthur.sees("Create a group")
    await arthur.fill("Name", GROUP)
    await arthur.fill("Description", "Knights and friends")
    await arthur.check("Public")
    await arthur.press("Create group")
    await arthur.sees(GROUP)
    await arthur.follow("Invitations")
    await arthur.sees(INVITATIONS, group=GROUP)
    await invite(arthur, LANCELOT, "Come!")
    await invite(arthur, ELAINE, "You too!")

    await join_with_account(story, await story.visitor())
    await join_without_account(story, await story.visitor())

    await arthur.follow(GROUP)
    await arthur.sees(GROUP)
    await arthur.fill("Beginning of the name or email", "lanc")
    await arthur.press("Search")
    await arthur.sees(GROUP)
    assert await arthur.row("@").count() == 1
    await arthur.follow("Lancelot")
    await arthur.sees("%(name)s in %(group)s", name="Lancelot", group=GROUP)
    await arthur.check("Admin")
    await arthur.press("Change role")
    await arthur.sees(GROUP)
    await arthur.reads("The role was changed.")

    await arthur.follow("Leave")
    await arthur.sees("Leave %(group)s?", group=GROUP)
    await arthur.reads("You're the only owner of this group. Hand it over to another member first, then you can leave.")
    await arthur.follow("Hand over")
    await arthur.sees("Hand over %(group)s", group=GROUP)
    await arthur.press("Hand over group")
    await arthur.sees("Hand over %(group)s", group=GROUP, status=422)
    await arthur.check("Lancelot")
    await arthur.press("Hand over group")
    await arthur.sees(GROUP)
    await arthur.reads("You've handed over %(name)s.", name=GROUP)
    await arthur.follow("Leave")
    await arthur.sees("Leave %(group)s?", group=GROUP)
    await arthur.press("Leave group")
    await arthur.sees("Your groups")
    await arthur.reads("You've left %(name)s.", name=GROUP)


async def check_file(visitor: Visitor, name: str, content: bytes) -> None:
    await visitor.choose_file("CSV file", name, content)
    await visitor.press("Check the file")


async def import_file(story: Story, visitor: Visitor, name: str, content: bytes) -> None:
    """Import a file, leave the page, and come back when it is done."""
    await visitor.choose_file("CSV file", name, content)
    await visitor.press("Import now")
    await visitor.sees("Import into %(group)s", group=GROUP)
    await visitor.reads("You can leave this page. The import goes on.")
    progress = visitor.page.url
    await visitor.go_to("Groups")
    await visitor.sees("Your groups")
    await run_imports(story.world)
    await visitor.open(progress)
    await visitor.sees("Import into %(group)s", group=GROUP)
    await visitor.reads("The import is finished. The file was imported completely.")


async def test_owner_imports_members_and_looks_after_the_invitations(story: Story) -> None:
    user = await story.world.user("arthur", is_verified=True)
    await story.world.group(GROUP, members={user: Role.OWNER})
    arthur = await story.signed_in(user)
    await arthur.go_to("Groups")
    await arthur.follow(GROUP)
    await arthur.follow("Import and export members")
    await arthur.sees(IMPORT, group=GROUP)
    await check_file(arthur, "faulty.csv", FAULTY)
    await arthur.sees(IMPORT, group=GROUP, status=422)
    await arthur.reads("Nothing was changed. Correct these lines, and choose the file again.")
    await arthur.reads("Enter an email address like name@example.com.")
    await arthur.reads("The role has to be “member” or “admin”.")
    await check_file(arthur, "correct.csv", CORRECT)
    await arthur.sees(IMPORT, group=GROUP)
    await arthur.reads("The file can be imported")
    await import_file(story, arthur, "correct.csv", CORRECT)
    invited = arthur.main.locator("dl > div").filter(has_text=arthur.text("Invited by email"))
    assert await invited.locator("dd").inner_text() == "2"

    await arthur.follow("Invitations")
    await arthur.sees(INVITATIONS, group=GROUP)
    assert arthur.text("Waiting to be sent") in await arthur.row(ELAINE).inner_text()
    await story.deliver()
    await arthur.page.reload()
    await arthur.sees(INVITATIONS, group=GROUP)
    assert arthur.text("Sent") in await arthur.row(ELAINE).inner_text()
    old_link = await story.mailed_link(ELAINE)
    await arthur.press("Resend the invitation to %(name)s", name=ELAINE)
    await arthur.sees(INVITATIONS, group=GROUP)
    await arthur.reads("The invitation is sent again, with a new link.")
    await arthur.press("Revoke the invitation to %(name)s", name=GALAHAD)
    await arthur.sees(INVITATIONS, group=GROUP)
    await arthur.reads("The invitation was revoked. Its link no longer works.")

    elaine = await story.visitor()
    await elaine.open(old_link)
    await elaine.sees("This invitation is no longer valid", status=400)
    await elaine.open(await story.mailed_link(ELAINE))
    await elaine.sees("You're invited")
    galahad = await story.visitor()
    await galahad.open(await story.mailed_link(GALAHAD))
    await galahad.sees("This invitation is no longer valid", status=400)

    await arthur.follow("Import and export members")
    exported = (await arthur.download("Download members as CSV")).decode("utf-8-sig")
    assert user.email in exported
