"""Branding of pages and letters by settings: colour, logo, links, templates."""

from pathlib import Path

import pytest

from accounts.branding import Branding
from accounts.branding.logo import MAX_BYTES, PNG, check_logo
from accounts.models import MailKind
from accounts.settings import SettingsError, SignUp, get_settings
from accounts.translations import get_language
from accounts.worker.rendering import render_letter
from support.account_pages import get
from support.html import Element, Page
from support.people import World

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><script>alert(1)</script><circle r="4"/></svg>'
TERMS, PRIVACY = "https://example.com/terms?v=2#top", "https://example.com/privacy"
VERIFY = {"name": "Arthur", "service": "Camelot", "url": "https://example.com/v", "expires_at": "later"}


@pytest.fixture
def logo(tmp_path: Path) -> Path:
    path = tmp_path / "logo"
    path.write_bytes(SVG)
    return path


async def page_of(world: World, path: str) -> Page:
    return Page((await get(world, path)).text)


def in_header(page: Page) -> list[Element]:
    """Return the images of the header."""
    return [each for each in page.elements if each.in_header and each.tag in {"svg", "img"}]


async def test_pages_without_branding_have_our_mark_and_no_legal_links(world: World) -> None:
    page = await page_of(world, "/sign-in")

    assert [each.attributes["href"] for each in page.find("link", rel="stylesheet")] == ["/account/static/site.css"]
    assert page.one("link", rel="icon").attributes["href"].startswith("data:image/svg+xml,")
    assert [each.tag for each in in_header(page)] == ["svg"]
    assert page.footer("a") == []


async def test_accent_is_in_a_style_sheet_of_its_own_and_in_the_icon(world: World) -> None:
    world.change_settings(accent_color="#ffd400")

    page = await page_of(world, "/sign-in")
    style = await get(world, "/static/brand.css")

    assert page.find("link", rel="stylesheet")[-1].attributes["href"] == "/account/static/brand.css"
    icon = page.one("link", rel="icon").attributes["href"]
    assert "fill='%23ffd400'" in icon
    assert "fill='%23000000'" in icon
    assert style.headers["content-type"] == "text/css; charset=utf-8"
    assert style.headers["cache-control"] == "max-age=3600"
    assert style.text.count("--fill: #ffd400; --on-fill: #000000;") == 2
    assert "@media (prefers-color-scheme: dark)" in style.text


async def test_logo_is_shown_in_the_header_and_as_the_icon(world: World, logo: Path) -> None:
    world.change_settings(logo_file=logo)

    page = await page_of(world, "/sign-in")

    [image] = in_header(page)
    assert (image.tag, image.attributes) == ("img", {"src": "/account/static/logo", "alt": ""})
    assert page.one("link", rel="icon").attributes["href"] == "/account/static/logo"


@pytest.mark.parametrize(("content", "media_type"), [(SVG, "image/svg+xml"), (PNG + b"rest", "image/png")])
async def test_logo_runs_no_script(world: World, logo: Path, content: bytes, media_type: str) -> None:
    path = logo.with_name(media_type.replace("/", "-"))
    path.write_bytes(content)
    world.change_settings(logo_file=path)

    answer = await get(world, "/static/logo")

    assert (answer.content, answer.headers["content-type"]) == (content, media_type)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "default-src 'none'; style-src 'unsafe-inline'; sandbox"


async def test_there_is_no_logo_without_the_setting(world: World) -> None:
    assert (await get(world, "/static/logo")).status_code == 404


async def test_pages_elsewhere_have_their_own_branding(world: World, logo: Path) -> None:
    world.change_settings(pages_url="https://app.example.com", logo_file=logo)

    assert (await get(world, "/static/brand.css")).status_code == 404
    assert (await get(world, "/static/logo")).status_code == 404


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"GIF89a", "is no SVG or PNG file"),
        (b"<svg></svg>", "is no SVG or PNG file"),
        (PNG + bytes(MAX_BYTES), "is larger than 200 kB"),
        (None, "No such file or directory"),
    ],
)
def test_unusable_logo_is_refused_at_the_start(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "logo.png"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(SettingsError) as error:
        check_logo(get_settings().model_copy(update={"logo_file": path}))

    assert error.value.code == f"accounts: LOGO_FILE: {message}"


@pytest.mark.parametrize(
    ("settings", "links"),
    [
        ({"terms_url": TERMS, "privacy_url": PRIVACY}, [("Terms", TERMS), ("Privacy", PRIVACY)]),
        ({"terms_url": TERMS}, [("Terms", TERMS)]),
        ({"privacy_url": PRIVACY}, [("Privacy", PRIVACY)]),
    ],
)
async def test_terms_and_privacy_policy_are_linked_in_the_footer(
    world: World, settings: dict[str, str], links: list[tuple[str, str]]
) -> None:
    world.change_settings(**settings)

    page = await page_of(world, "/sign-in")

    assert [(each.text, each.attributes["href"]) for each in page.footer("a")] == links


async def test_terms_and_privacy_policy_are_linked_where_an_account_is_created(world: World) -> None:
    world.change_settings(terms_url=TERMS, privacy_url=PRIVACY, sign_up=SignUp.OPEN)

    page = await page_of(world, "/register")

    assert "By creating an account you agree to" in page.one("form").text
    assert [each.attributes["href"] for each in page.find("a")][1:3] == [TERMS, PRIVACY]


async def test_link_with_quotes_is_inert(world: World) -> None:
    hostile = 'https://example.com/"><script>alert(1)</script>'
    world.change_settings(terms_url=hostile, privacy_url=hostile)

    page = await page_of(world, "/register")

    assert page.find("script") == []
    assert [each.attributes["href"] for each in (*page.find("a")[1:3], *page.footer("a"))] == 4 * [hostile]


async def test_own_template_replaces_a_page(world: World, tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    own = '{% extends "original/sign-in.html" %}{% block content %}{{ super() }}<p>Ask Merlin.</p>{% endblock %}'
    (tmp_path / "pages" / "sign-in.html").write_text(own)
    world.change_settings(templates_dir=tmp_path)

    page = await page_of(world, "/sign-in")

    assert page.find("p")[-1].text == "Ask Merlin."
    assert page.one("h1").text == "Sign in"


def test_own_template_replaces_a_letter(tmp_path: Path) -> None:
    (tmp_path / "mail").mkdir()
    own = '{% extends "original/verify.j2" %}{% block subject %}Welcome to {{ service }}{% endblock %}'
    (tmp_path / "mail" / "verify.j2").write_text(own)

    branding = Branding.of(get_settings().model_copy(update={"templates_dir": tmp_path}))
    subject, text, html = render_letter(MailKind.VERIFY, VERIFY, get_language("de"), branding)

    assert subject == "Welcome to Camelot"
    assert VERIFY["url"] in text
    assert "<h1" in html


def test_letters_have_the_accent_in_light_and_dark() -> None:
    branding = Branding.of(get_settings().model_copy(update={"accent_color": "#ffd400"}))

    subject, text, html = render_letter(MailKind.VERIFY, VERIFY, get_language("en"), branding)

    assert "color:#000000;background-color:#ffd400" in html
    assert f".link {{ color: {branding.palette.dark.act} !important; }}" in html
    assert "#0b57b8" not in html
    assert "#ffd400" not in subject + text
