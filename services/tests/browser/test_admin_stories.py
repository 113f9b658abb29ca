"""What superusers answer and do on the pages of the administration, from beginning to end."""

from datetime import UTC, datetime, timedelta

from playwright.async_api import Locator, expect

from accounts.db.session import transaction
from accounts.models import AuditEvent, Figure, Period, Role
from support.administrators import administer, find_user
from support.browser_stories import Story, Visitor
from support.chromium import needs_chromium
from support.people import PASSWORD

pytestmark = needs_chromium
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
ELSEWHERE = "198.51.100.7"
GROUP = "Round Table"
REFUSAL = "554 5.7.1 Message refused by policy"
CHARTS = 8
PAGE, TOO_MANY = 4, 6  # events
FROM, WHO, ABOUT = "From (day in UTC)", "Caused by (email or ID)", "About (email or ID)"


async def enter_day(admin: Visitor, label: str, day: datetime) -> None:
    """Enter a day as the browser wants it: at a desk its parts are typed one by one."""
    await admin.fill(label, day.strftime("%Y-%m-%d" if admin.view.is_touch else "%m%d%Y"))


def events(admin: Visitor) -> Locator:
    return admin.main.locator("tbody > tr")


async def test_superuser_sees_who_signed_in_yesterday_and_from_where(story: Story) -> None:
    lancelot = await story.world.user("lancelot", is_verified=True)
    login = {"username": lancelot.email, "password": PASSWORD}
    async with story.world.client_at(ELSEWHERE) as client:
        await client.post("/auth/jwt/login", data=login | {"password": "not-the-password"})
        await client.post("/auth/jwt/login", data=login, headers={"User-Agent": FIREFOX})
    await story.world.sql("UPDATE audit_event SET at = at - interval '1 day'")
    yesterday = datetime.now(UTC) - timedelta(days=1)
    admin = await administer(story)
    await find_user(admin, lancelot)
    await admin.reads("%(browser)s on %(system)s", browser="Firefox", system="Linux")
    await expect(admin.row("Firefox").filter(has_text=ELSEWHERE)).to_have_count(2)  # the sign-in, and its session
    await expect(events(admin).filter(has_text=admin.language.date_time(yesterday)[:12]).first).to_be_visible()

    await admin.follow("All sign-ins of this user")
    await admin.sees("Audit log")
    await enter_day(admin, FROM, yesterday)
    await enter_day(admin, "To (day in UTC)", yesterday)
    await admin.press("Filter")
    await admin.sees("Audit log")
    await expect(events(admin)).to_have_count(1)
    await expect(events(admin)).to_contain_text(ELSEWHERE)

    await admin.choose("What", "Sign-in refused")
    await admin.press("Filter")
    await admin.sees("Audit log")
    await expect(events(admin)).to_contain_text(ELSEWHERE)
    await admin.fill(ABOUT, "nobody@example.com")
    await admin.press("Filter")
    await admin.sees("Audit log", status=422)
    await admin.reads("No user has this email address. For a deleted account, enter its ID.")


async def test_superuser_sees_why_mail_does_not_come_and_sends_it_again(story: Story) -> None:
    yvain, bors = await story.world.user("yvain", is_verified=True), await story.world.user("bors", is_verified=True)
    for user in (yvain, bors):
        story.mailbox.replies = [REFUSAL]
        await story.world.client.post("/auth/forgot-password", json={"email": user.email})
        await story.deliver()
    admin = await administer(story)
    await admin.go_to("Mail")
    await admin.sees("Mail")
    await admin.fill("Email address of the recipient", yvain.email)
    await admin.press("Search")
    await admin.sees("Mail")
    await admin.reads("the account is active, and its address is confirmed.")
    await admin.follow("Choose a new password")
    await admin.sees("Mail to %(email)s", email=yvain.email)
    await admin.reads(REFUSAL)

    await admin.follow("Account of the recipient")
    await admin.sees("Yvain")
    await admin.reads("Parked: it is not tried again")
    await admin.reads(REFUSAL)
    await admin.follow("Choose a new password")
    await admin.press("Send now")
    await admin.sees("Mail")
    await admin.reads("The worker sends it again within seconds. If it fails, it comes back here.")
    visitor = await story.visitor()
    await visitor.open(await story.mailed_link(yvain.email))
    await visitor.sees("Choose a new password")

    await admin.follow(bors.email)
    await admin.press("Discard mail")
    await admin.sees("Mail")
    await admin.reads("The mail was deleted.")
    await admin.reads("No mail is parked.")
    assert await story.letters(bors.email) == []


async def test_superuser_finds_the_owner_of_a_group_and_hands_it_to_a_member(story: Story) -> None:
    merlin, gawain = (
        await story.world.user("merlin", is_verified=True),
        await story.world.user("gawain", is_verified=True),
    )
    await story.world.group(GROUP, members={merlin: Role.OWNER, gawain: Role.MEMBER})
    admin = await administer(story)
    await admin.go_to("Groups")
    await admin.sees("Groups")
    await admin.fill("Beginning of the name", "round")
    await admin.press("Search")
    await admin.sees("Groups")
    await admin.follow(GROUP)
    await admin.sees(GROUP)
    await expect(admin.main.locator(".people").first).to_contain_text(merlin.email)

    await admin.follow("Add an owner")
    await admin.sees("Add an owner of %(group)s", group=GROUP)
    await admin.fill("Email address", "nobody@example.com")
    await admin.press("Add owner")
    await admin.sees("Add an owner of %(group)s", status=400, group=GROUP)
    await admin.reads("No active user has this email address.")
    await admin.fill("Email address", gawain.email)
    await admin.press("Add owner")
    await admin.sees(GROUP)
    await admin.reads("The user is now an owner of the group.")
    assert GROUP in (await story.letters(gawain.email))[0]

    await admin.use(admin.link("Change the role of %(name)s, or remove them", name="Merlin").first)
    await admin.sees("%(name)s in %(group)s", name="Merlin", group=GROUP)
    await admin.check("Member")
    await admin.press("Change role")
    await admin.sees(GROUP)
    assert GROUP in (await story.letters(merlin.email))[0]
    await admin.go_to("Administration")
    await admin.go_to("Groups")
    await admin.follow(GROUP)
    await expect(admin.main.locator(".people").first).not_to_contain_text(merlin.email)

    await admin.follow("What happened in this group")
    await admin.sees("Audit log")
    for row, user in ((0, merlin), (1, gawain)):
        await expect(events(admin).nth(row)).to_contain_text(user.email)
        await expect(events(admin).nth(row)).to_contain_text("morgana@")
    await admin.use(events(admin).first.get_by_role("link", name=GROUP))
    await admin.sees(GROUP)


async def test_superuser_sees_what_changed_since_a_day(story: Story) -> None:
    lancelot = await story.world.user("lancelot")
    await story.world.sql("UPDATE audit_event SET at = at - interval '9 days'")
    async with story.world.owner() as db:
        for hours in range(TOO_MANY):
            at = datetime.now(UTC) - timedelta(hours=hours)
            db.add(AuditEvent(action="user.changed", user_id=lancelot.id, actor_id=lancelot.id, at=at))
    admin = await administer(story)
    await admin.go_to("Audit log")
    await admin.sees("Audit log")
    await enter_day(admin, FROM, datetime.now(UTC) - timedelta(days=5))
    await admin.choose("What", "Account changed")
    await admin.press("Filter")
    await admin.sees("Audit log")
    await expect(events(admin)).to_have_count(TOO_MANY)
    await admin.open(f"{admin.page.url}&limit={PAGE}")
    await admin.follow("Earlier events")
    await admin.sees("Audit log")
    await expect(events(admin)).to_have_count(TOO_MANY - PAGE)
    assert await admin.link("Earlier events").count() == 0
    await expect(admin.field("What")).to_have_value("user.changed")

    await admin.use(events(admin).first.get_by_role("link").first)
    await admin.sees("Lancelot")
    await admin.follow("All that this user did")
    await admin.sees("Audit log")
    await expect(admin.field(WHO)).to_have_value(str(lancelot.id))


async def store_figures(story: Story) -> None:
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    async with transaction(story.world.sessionmaker) as db:
        for period, at in ((Period.HOUR, now), (Period.DAY, now.replace(hour=0))):
            db.add(Figure(period=period, at=at, name="sign_ups", value=12))


async def test_superuser_looks_at_the_figures_and_at_the_table_of_each_picture(story: Story) -> None:
    await store_figures(story)
    admin = await administer(story)
    for period in ("Last 30 days", "Last 12 months", "Last 24 hours"):
        await admin.follow(period)
        await admin.sees("Dashboard")
        await expect(admin.link(period)).to_have_attribute("aria-current", "true")
        await expect(admin.main.locator("#sign-ups-summary")).to_contain_text("12")
        await expect(admin.main.get_by_role("img")).to_have_count(CHARTS)
    for chart in await admin.main.locator("section").all():
        summary = chart.locator("summary")
        await admin.hand.reach(summary)
        await admin.hand.press(summary)
        await expect(chart.locator("table")).to_be_visible()
    await expect(admin.row("12").first).to_be_visible()
    assert not await admin.page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
