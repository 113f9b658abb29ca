"""Pages of the sign-in with providers, as a browser without scripts requests them."""

from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import pytest
from httpx2 import Response
from sqlmodel import select

from accounts.db.session import transaction
from accounts.models import ExternalIdentity, User
from accounts.settings import SignUp
from accounts.settings_providers import ProviderSignUp, SecondFactor
from support.account_pages import ARTHUR, what_was_done
from support.evil_provider import SUBJECT, EvilProvider
from support.external_browser import HTML, Browser, configure, query_of
from support.html import Page
from support.invitations import status_and_code, table_of
from support.people import PASSWORD, World
from support.second_factors import finish, user_with_app

LANCELOT = "lancelot@camelot.example.com"
PAGES = "https://www.example.com/me"
SAME_ORIGIN = HTML | {"Sec-Fetch-Site": "same-origin"}


def links(response: Response) -> list[str]:
    """Return where the links to providers lead."""
    urls = [each.attributes["href"] for each in Page(response.text).find("a") if each.attributes.get("href")]
    return [url for url in urls if url.startswith("/auth/")]


async def follow(visitor: Browser, url: str) -> Response:
    """Click a link to a provider, sign in there, and come back."""
    response = await visitor.client.get(url, headers=SAME_ORIGIN)
    assert response.status_code == 303, response.text
    return await visitor.come_back(visitor.provider.authorize(response.headers["Location"]), HTML)


@pytest.mark.parametrize("path", ["/account/sign-in", "/account/register"])
async def test_button_signs_up_by_a_link(visitor: Browser, path: str) -> None:
    page = await visitor.client.get(path, headers=HTML)
    [url] = links(page)

    response = await follow(visitor, url)

    assert (response.status_code, response.headers["Location"]) == (303, "/account")
    assert "lancelot@example.com" in (await visitor.client.get("/account", headers=HTML)).text


async def test_buttons_carry_the_invitation(visitor: Browser) -> None:
    for path in ("/account/sign-in", "/account/register"):
        [url] = links(await visitor.client.get(path, params={"invitation": "a-token&x"}, headers=HTML))

        assert query_of(url)["invitation"] == "a-token&x"


@pytest.mark.parametrize(
    ("sign_up", "buttons"), [(SignUp.OPEN, 1), (SignUp.VERIFIED, 1), (SignUp.INVITED, 0), (SignUp.CLOSED, 0)]
)
async def test_registration_has_buttons_where_anyone_may_sign_up(
    visitor: Browser, world: World, sign_up: SignUp, buttons: int
) -> None:
    world.change_settings(sign_up=sign_up)

    assert len(links(await visitor.client.get("/account/register", headers=HTML))) == buttons
    assert len(links(await visitor.client.get("/account/sign-in", headers=HTML))) == 1


async def test_provider_without_sign_up_is_no_button_of_the_registration(
    visitor: Browser, world: World, provider: EvilProvider
) -> None:
    configure(world, provider, sign_up=ProviderSignUp.NO)

    assert links(await visitor.client.get("/account/register", headers=HTML)) == []


async def test_without_providers_nothing_is_shown(world: World) -> None:
    response = await world.client.get("/account/sign-in", headers=HTML)

    assert links(response) == []
    assert "Connected accounts" not in response.text


async def test_user_with_an_account_signs_in_as_before_and_connects(
    visitor: Browser, world: World, provider: EvilProvider
) -> None:
    await world.user("arthur", is_verified=True)
    provider.claims = {"email": ARTHUR, "email_verified": True}
    [url] = links(await visitor.client.get("/account/sign-in", headers=HTML))

    refused = await follow(visitor, url)
    assert refused.status_code == 400
    assert "You already have an account" in refused.text
    [sign_in] = [
        each.attributes["href"] for each in Page(refused.text).find("a") if "connect" in each.attributes["href"]
    ]
    page = Page((await visitor.client.get(sign_in, headers=HTML)).text)
    kept = {each.attributes["name"]: each.attributes.get("value") for each in page.find("input")}
    form = {"username": ARTHUR, "password": PASSWORD, "connect": kept["connect"]}
    signed_in = await visitor.client.post("/account/sign-in", data=form, headers=SAME_ORIGIN)
    assert signed_in.headers["Location"] == "/account/connected-accounts"
    [connect] = links(await visitor.client.get("/account/connected-accounts", headers=HTML))
    connected = await follow(visitor, connect)

    assert (connected.status_code, connected.headers["Location"]) == (303, "/account/connected-accounts")
    response = await visitor.client.get("/account/connected-accounts", headers=HTML)
    assert links(response) == []
    assert "Disconnect Evil" in response.text
    assert (await Browser(world, provider).account())["email"] == ARTHUR


class TestConnectedAccounts:
    async def test_user_disconnects_an_account(self, visitor: Browser, world: World) -> None:
        await world.user("arthur", is_verified=True)
        form = {"username": ARTHUR, "password": PASSWORD, "connect": "true"}
        await visitor.client.post("/account/sign-in", data=form, headers=SAME_ORIGIN)
        [connect] = links(await visitor.client.get("/account/connected-accounts", headers=HTML))
        await follow(visitor, connect)
        page = Page((await visitor.client.get("/account/connected-accounts", headers=HTML)).text)
        identity = page.one("button", name="identity").attributes["value"]

        response = await visitor.client.post(
            "/account/connected-accounts", data={"identity": identity}, headers=SAME_ORIGIN
        )

        assert (response.status_code, response.headers["Location"]) == (303, "/account/connected-accounts")
        assert len(links(await visitor.client.get("/account/connected-accounts", headers=HTML))) == 1

    async def test_last_way_in_cannot_be_disconnected(self, visitor: Browser) -> None:
        await visitor.account()
        page = Page((await visitor.client.get("/account/connected-accounts", headers=HTML)).text)
        identity = page.one("button", name="identity").attributes["value"]

        response = await visitor.client.post(
            "/account/connected-accounts", data={"identity": identity}, headers=SAME_ORIGIN
        )

        assert response.status_code == 409
        assert "Choose a password first" in response.text

    async def test_user_with_an_unconfirmed_address_is_told_to_confirm_it(self, visitor: Browser, world: World) -> None:
        await world.user("arthur")
        form = {"username": ARTHUR, "password": PASSWORD}
        await visitor.client.post("/account/sign-in", data=form, headers=SAME_ORIGIN)

        response = await visitor.client.get("/account/connected-accounts", headers=HTML)

        assert links(response) == []
        assert "confirm your email address first" in response.text

    async def test_anonymous_visitor_is_sent_to_the_sign_in(self, visitor: Browser) -> None:
        for method in ("GET", "POST"):
            response = await visitor.client.request(method, "/account/connected-accounts", headers=SAME_ORIGIN)

            assert response.headers["Location"].partition("?")[0] == "/account/sign-in"

    async def test_text_of_the_provider_is_escaped(
        self, visitor: Browser, world: World, provider: EvilProvider
    ) -> None:
        configure(world, provider, name="<b>Evil</b>")
        await visitor.account()
        await world.sql("UPDATE external_identity SET email = '<i>@example.com', provider = '<u>'")

        text = (await visitor.client.get("/account/connected-accounts", headers=HTML)).text

        assert not any(tag in text for tag in ("<b>", "<i>", "<u>"))


class TestConfirmation:
    async def test_user_without_a_password_confirms_by_signing_in_at_the_provider(
        self, visitor: Browser, world: World
    ) -> None:
        await visitor.account()
        await world.sql("UPDATE user_session SET authenticated_at = now() - interval '1 day'")
        asked = await visitor.client.post(
            "/account/connected-accounts", data={"identity": str(UUID(int=1))}, headers=SAME_ORIGIN
        )
        assert asked.headers["Location"] == "/account/confirm?next=%2Fconnected-accounts"
        page = await visitor.client.get(asked.headers["Location"], headers=HTML)
        assert not Page(page.text).find("input", type="password")
        [url] = links(page)

        confirmed = await follow(visitor, url)

        assert (confirmed.status_code, confirmed.headers["Location"]) == (303, "/account/connected-accounts")
        again = await visitor.client.post(
            "/account/connected-accounts", data={"identity": str(UUID(int=1))}, headers=SAME_ORIGIN
        )
        assert again.status_code == 404

    async def test_user_who_connects_an_account_confirms_first_and_comes_back(
        self, visitor: Browser, world: World
    ) -> None:
        await world.user("arthur", is_verified=True)
        form = {"username": ARTHUR, "password": PASSWORD}
        await visitor.client.post("/account/sign-in", data=form, headers=SAME_ORIGIN)
        await world.sql("UPDATE user_session SET authenticated_at = now() - interval '1 day'")
        [connect] = links(await visitor.client.get("/account/connected-accounts", headers=HTML))

        asked = await visitor.client.get(connect, headers=SAME_ORIGIN)

        assert asked.headers["Location"] == "/account/confirm?next=%2Fconnected-accounts"
        page = await visitor.client.get(asked.headers["Location"], headers=HTML)
        assert links(page) == []  # no account is connected
        assert Page(page.text).find("input", type="password")

    @pytest.mark.parametrize(("second_factor", "buttons"), [(SecondFactor.ASK, 0), (SecondFactor.TRUST, 1)])
    async def test_provider_confirms_a_second_factor_only_if_it_is_trusted(
        self, visitor: Browser, world: World, provider: EvilProvider, second_factor: SecondFactor, buttons: int
    ) -> None:
        await visitor.account()
        await world.sql("UPDATE \"user\" SET second_factors = '{totp}'")
        configure(world, provider, second_factor=second_factor)

        page = await visitor.client.get("/account/confirm", headers=HTML)

        assert len(links(page)) == buttons

    async def test_user_with_a_second_factor_is_asked_for_it_after_the_provider(
        self, visitor: Browser, world: World, provider: EvilProvider
    ) -> None:
        await visitor.account()
        await world.sql("UPDATE \"user\" SET second_factors = '{totp}'")
        other = Browser(world, provider)
        [url] = links(await other.client.get("/account/sign-in", headers=HTML))

        response = await follow(other, url)

        assert (response.status_code, response.headers["Location"]) == (303, "/account/second-factor")
        page = await other.client.get("/account/second-factor", headers=HTML)
        assert page.status_code == 200
        assert (await other.client.get("/users/me")).status_code == 401


class TestErrors:
    @pytest.mark.parametrize(
        ("claims", "text"),
        [
            ({}, "has no email address"),
            ({"email": ARTHUR, "email_verified": False}, "isn't confirmed at the other provider"),
        ],
    )
    async def test_refusal_is_a_page(
        self, visitor: Browser, provider: EvilProvider, claims: dict[str, object], text: str
    ) -> None:
        provider.claims = claims
        [url] = links(await visitor.client.get("/account/sign-in", headers=HTML))

        response = await follow(visitor, url)

        assert (response.status_code, response.headers["Content-Type"]) == (400, "text/html; charset=utf-8")
        assert text in response.text.replace("&#39;", "'")
        assert response.headers["Referrer-Policy"] == "strict-origin"  # the address of this page has the code

    async def test_user_who_cancels_gets_a_page(self, visitor: Browser) -> None:
        parameters = await visitor.leave(kind="cookie")

        response = await visitor.come_back({"state": parameters["state"], "error": "access_denied"}, HTML)

        assert "cancelled" in response.text

    async def test_absent_provider_is_a_page(self, visitor: Browser, provider: EvilProvider) -> None:
        provider.answers["/.well-known/openid-configuration"] = lambda _: None
        [url] = links(await visitor.client.get("/account/sign-in", headers=HTML))

        response = await visitor.client.get(url, headers=SAME_ORIGIN)

        assert response.status_code == 503
        assert "reached right now" in response.text

    async def test_pages_of_another_site_get_the_code_in_the_fragment(self, visitor: Browser, world: World) -> None:
        world.change_settings(pages_url=PAGES)

        unknown = await visitor.come_back({"state": "unknown"}, HTML)
        absent = await visitor.client.get("/auth/absent/authorize", params={"redirect": "true"})
        read_by_a_program = await visitor.client.get("/auth/absent/authorize")

        assert (unknown.status_code, unknown.headers["Location"]) == (303, f"{PAGES}#error=OAUTH_INVALID_STATE")
        assert absent.headers["Location"] == f"{PAGES}#error=OAUTH_PROVIDER_NOT_FOUND"
        assert read_by_a_program.headers["Content-Type"] == "application/problem+json"

    async def test_pages_of_another_site_can_finish_a_sign_in_with_a_second_factor(
        self, visitor: Browser, world: World
    ) -> None:
        phone = await user_with_app(world, "lancelot", is_verified=True)
        await connect(world, visitor, LANCELOT)
        world.change_settings(pages_url=PAGES)

        response = await visitor.sign_in(kind="cookie", return_to=f"{PAGES}/groups#top")

        url, _, fragment = response.headers["Location"].partition("#")
        given = dict(parse_qsl(fragment))
        assert (url, given["error"], given["factors"]) == (f"{PAGES}/groups", "MFA_REQUIRED", "totp,recovery_code")
        done = await finish(world, given["mfa_token"], "cookie", code=await phone.code())
        assert done.status_code == 204


class TestSecondFactor:
    """After the second factor, a sign-in continues as without one."""

    async def test_user_returns_to_the_page(self, visitor: Browser, world: World) -> None:
        phone = await user_with_app(world, "lancelot", is_verified=True)
        await connect(world, visitor, LANCELOT)

        began = await visitor.sign_in(kind="cookie", return_to="/account/sessions")
        assert began.headers["Location"] == "/account/second-factor"
        done = await visitor.client.post("/account/second-factor", data={"code": await phone.code()})

        assert (done.status_code, done.headers["Location"]) == (303, "/account/sessions")

    async def test_invitation_is_accepted_only_then(self, visitor: Browser, world: World) -> None:
        table = await table_of(world)
        phone = await user_with_app(world, "lancelot", is_verified=True)
        await connect(world, visitor, LANCELOT)
        invitation = await table.token(LANCELOT)

        await visitor.sign_in(kind="cookie", invitation=invitation)
        assert "lancelot" not in await table.roles()
        done = await visitor.client.post("/account/second-factor", data={"code": await phone.code()})

        assert (done.headers["Location"], what_was_done(done)) == ("/account/done/accepted", "accepted")
        assert (await table.roles())["lancelot"] == "member"

    @pytest.mark.parametrize("how", ["jwt", "cookie"])
    async def test_programs_accept_the_invitation_as_well(self, visitor: Browser, world: World, how: str) -> None:
        table = await table_of(world)
        phone = await user_with_app(world, "lancelot", is_verified=True)
        await connect(world, visitor, LANCELOT)

        refused = await visitor.sign_in(invitation=await table.token(LANCELOT))
        done = await finish(world, refused.json()["mfa_token"], how, code=await phone.code())

        assert done.status_code < 300, done.text
        assert (await table.roles())["lancelot"] == "member"

    async def test_invitation_that_has_expired_meanwhile_is_refused_and_no_session_starts(
        self, visitor: Browser, world: World
    ) -> None:
        table = await table_of(world)
        phone = await user_with_app(world, "lancelot", is_verified=True)
        await connect(world, visitor, LANCELOT)

        refused = await visitor.sign_in(invitation=await table.token(LANCELOT))
        await table.expire()
        done = await finish(world, refused.json()["mfa_token"], code=await phone.code())

        assert status_and_code(done) == (400, "INVITATION_BAD_TOKEN")

    async def test_sign_in_that_connects_an_account_continues_with_it(self, visitor: Browser, world: World) -> None:
        phone = await user_with_app(world, "lancelot", is_verified=True)
        form = {"username": LANCELOT, "password": PASSWORD, "connect": "true"}

        began = await visitor.client.post("/account/sign-in", data=form)
        page = Page((await visitor.client.get(began.headers["Location"])).text)
        kept = page.find("input", name="next")[0].attributes["value"]
        answer = {"code": await phone.code(), "next": kept}
        done = await visitor.client.post("/account/second-factor", data=answer)

        assert done.headers["Location"] == "/account/connected-accounts"


async def connect(world: World, visitor: Browser, email: str) -> None:
    """Store that the user has connected the account at the provider."""
    visitor.provider.claims = {"email": email, "email_verified": True}
    async with transaction(world.sessionmaker) as db:
        [user_id] = await db.exec(select(User.id).where(User.email == email))
        issuer = visitor.provider.issuer
        db.add(ExternalIdentity(user_id=user_id, provider="evil", issuer=issuer, subject=SUBJECT))


async def test_content_security_policy_allows_the_links_and_no_form_of_another_site(visitor: Browser) -> None:
    response = await visitor.client.get("/account/sign-in", headers=HTML)

    assert "form-action 'self'" in response.headers["Content-Security-Policy"]
    [url] = links(response)
    assert urlsplit(url).netloc == ""
