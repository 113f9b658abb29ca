"""How superusers look after users and the service on the pages, from beginning to end."""

from accounts.models import MailKind, User
from support.administrators import administer, find_user
from support.browser_stories import Story, Visitor
from support.chromium import needs_chromium
from support.people import PASSWORD
from support.second_factors import add_app, age

pytestmark = needs_chromium
NEW_PASSWORD = "elaine-and-the-lily"


async def do(admin: Visitor, label: str, title: str, message: str) -> None:
    """Do something to Lancelot, whose page is open: each action has a page that says what happens."""
    await admin.follow(label)
    await admin.sees(title, name="Lancelot")
    await admin.press(label)
    await admin.sees("Lancelot")
    await admin.reads(message)


async def is_signed_out(visitor: Visitor) -> None:
    """Require that the next click leads to the sign-in."""
    await visitor.go_to("Groups")
    await visitor.sees("Sign in")


async def test_superuser_deactivates_a_user_who_is_signed_out_at_the_next_click(story: Story) -> None:
    user = await story.world.user("lancelot", is_verified=True)
    lancelot, admin = await story.signed_in(user), await administer(story)
    await find_user(admin, user)
    await do(admin, "Deactivate", "Deactivate %(name)s?", "The user was deactivated, and signed out on all devices.")
    await admin.reads("Inactive")
    await is_signed_out(lancelot)
    await do(admin, "Activate", "Activate %(name)s?", "The user was activated.")
    await lancelot.sign_in(user)

    await age(story.world)
    await admin.follow("Sign out everywhere")
    await admin.sees("Confirm that it's you")
    await admin.fill("Current password", PASSWORD)
    await admin.press("Continue")
    await admin.sees("Sign out %(name)s everywhere?", name="Lancelot")
    await admin.press("Sign out everywhere")
    await admin.sees("Lancelot")
    await is_signed_out(lancelot)


async def confirm_email(story: Story, admin: Visitor, user: User) -> None:
    """Let a superuser mail a link, which the user follows."""
    await admin.press("Send confirmation link")
    await admin.sees(user.display_name)
    await admin.reads("The link will be sent by email in a moment.")
    visitor = await story.visitor()
    await visitor.open(await story.mailed_link(user.email))
    await visitor.sees("Confirm your email address")
    await visitor.press("Confirm email address")
    await visitor.sees("Email address confirmed")


async def test_superuser_helps_a_user_who_lost_phone_and_password(story: Story) -> None:
    user = await story.world.user("lancelot")
    await add_app(story.world, await story.world.sign_in(user))
    admin = await administer(story)
    await find_user(admin, user)
    await admin.reads("Email not confirmed")
    await story.deliver()
    await confirm_email(story, admin, user)
    reset = "Reset the second factors of %(name)s?"
    await do(
        admin,
        "Reset second factors",
        reset,
        "The second factors were removed, and the user was signed out on all devices.",
    )
    await admin.reads("The user has no second factor.")
    lancelot = await story.signed_in(user)

    await story.deliver()
    title = "Require a new password of %(name)s?"
    await do(
        admin,
        "Require a new password",
        title,
        "The password no longer works, and the user was signed out on all devices.",
    )
    await is_signed_out(lancelot)
    await lancelot.fill("Email address", user.email)
    await lancelot.fill("Password", PASSWORD)
    await lancelot.press("Sign in")
    await lancelot.sees("Sign in", status=400)
    await lancelot.open(await story.mailed_link(user.email))
    await lancelot.sees("Choose a new password")
    await lancelot.fill("New password", NEW_PASSWORD)
    await lancelot.press("Set new password")
    await lancelot.sees("Your password has been changed")
    await lancelot.sign_in(user, NEW_PASSWORD)
    assert await story.world.mails(MailKind.RESET) == []


async def test_superuser_proves_a_second_factor_first_where_it_is_required(story: Story) -> None:
    user = await story.world.user("morgana", superuser=True, is_verified=True)
    admin = await story.signed_in(user)
    story.world.change_settings(superuser_aal=2)
    await admin.go_to("Administration")
    await admin.sees("Not allowed", status=403)
    await admin.use(admin.main.get_by_role("link"))
    await admin.sees("Security")

    phone = await add_app(story.world, await story.world.sign_in(user))
    await admin.open("/admin/users")
    await admin.sees("Sign in")
    await admin.fill("Email address", user.email)
    await admin.fill("Password", PASSWORD)
    await admin.press("Sign in")
    await admin.sees("Second factor")
    await admin.fill("Code from your authenticator app", await phone.code())
    await admin.press("Continue")
    await admin.sees("Users")
    await story.world.sql("UPDATE user_session SET aal = 1")
    await admin.go_to("Audit log")
    await admin.sees("Confirm that it's you")
    await admin.fill("Code from your authenticator app", await phone.code())
    await admin.press("Continue")
    await admin.sees("Audit log")


async def test_superuser_sees_the_state_of_the_service_and_signs_out(story: Story) -> None:
    admin = await administer(story)
    await admin.go_to("System")
    await admin.sees("System")
    for text in ("Ready", "Versions", "Keys that sign access tokens", "Signs now", "Processes", "Database", "Settings"):
        await admin.reads(text)
    assert story.world.key not in await admin.page.content()

    for width in {admin.view.width, 320}:
        await admin.page.set_viewport_size({"width": width, "height": 640})
        box = await admin.page.get_by_role("banner").get_by_role("button").bounding_box()
        assert box
        assert box["x"] + box["width"] <= width
        assert box["y"] + box["height"] <= 120
    await admin.page.set_viewport_size({"width": admin.view.width, "height": 800})
    await admin.sign_out()
