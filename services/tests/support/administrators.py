"""What stories of the administration share: how superusers get there, and find a user."""

from accounts.models import User
from support.browser_stories import Story, Visitor


async def administer(story: Story) -> Visitor:
    """Give a superuser a browser, who signs in and goes to the administration."""
    visitor = await story.signed_in(await story.world.user("morgana", superuser=True, is_verified=True))
    await visitor.go_to("Administration")
    await visitor.sees("Dashboard")
    return visitor


async def find_user(admin: Visitor, user: User) -> None:
    await admin.go_to("Users")
    await admin.sees("Users")
    await admin.choose("Search by", "Name begins with")
    await admin.fill("Search, or a user's ID", user.display_name[:5].upper())
    await admin.press("Search")
    await admin.sees("Users")
    await admin.follow(user.email)
    await admin.sees(user.display_name)
