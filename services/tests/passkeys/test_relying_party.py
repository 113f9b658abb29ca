"""The relying party follows from the settings: its domain, and the pages that may use its passkeys."""

import os
import subprocess
import sys
from typing import Any

import pytest

from accounts.domain.passkeys.relying_party import check_domain, is_available, relying_party
from accounts.settings import SettingsError, get_settings
from environment import ROOT
from support.authenticator import Authenticator
from support.passkeys import MINE, PasskeyUser, code, sign_in
from support.people import World

SITES = {
    "public_url": "https://accounts.example.com",
    "pages_url": "https://www.example.com/people",
    "cors_origins": ("https://app.example.com", "https://example.org", "http://example.com", "*"),
}
PROGRAM = """
import sys
from accounts.api.app import create_app
create_app().openapi()
print({"webauthn", "cbor2", "OpenSSL"} & set(sys.modules))
"""


@pytest.mark.parametrize(
    ("domain", "origins"),
    [
        ("", ("https://accounts.example.com",)),
        ("example.com", ("https://accounts.example.com", "https://www.example.com", "https://app.example.com")),
        ("example.org", ("https://example.org",)),
        ("ample.com", ()),
        ("com.evil", ()),
    ],
)
def test_origins_are_the_sites_in_the_domain(domain: str, origins: tuple[str, ...]) -> None:
    settings = get_settings().model_copy(update=SITES | {"passkey_rp_id": domain})

    assert is_available(settings) is bool(origins)
    if origins:
        assert relying_party(settings).origins == origins
        check_domain(settings)
    else:
        with pytest.raises(SettingsError, match="PASSKEY_RP_ID: must be the host"):
            check_domain(settings)


@pytest.mark.parametrize(
    ("public_url", "available"),
    [
        ("https://accounts.example.com", True),
        ("http://localhost:8000", True),
        ("http://accounts.example.com", False),
        ("https://192.0.2.1", False),
        ("https://[2001:db8::1]", False),
    ],
)
def test_passkeys_need_tls_and_a_name(public_url: str, *, available: bool) -> None:
    settings = get_settings().model_copy(update={"public_url": public_url})

    assert is_available(settings) is available
    check_domain(settings)


async def test_page_of_another_site_uses_the_passkeys_of_a_common_domain(world: World) -> None:
    world.change_settings(**SITES, passkey_rp_id="example.com")
    user = await world.user("arthur")
    arthur = PasskeyUser(world, user, await world.sign_in(user))
    arthur.key = Authenticator("https://app.example.com", "example.com")

    assert (await arthur.add()).status_code == 201

    for origin, status in {
        "https://www.example.com": 200,
        "https://example.org": 400,
        "http://example.com": 400,
    }.items():
        arthur.key.origin = origin
        assert (await sign_in(world, arthur.key)).status_code == status


async def test_host_header_does_not_choose_the_relying_party(world: World) -> None:
    user = await world.user("arthur")
    arthur = PasskeyUser(world, user, await world.sign_in(user))
    world.change_settings(allowed_hosts=("*",))
    headers: dict[str, Any] = arthur.headers | {"Host": "evil.example.org"}

    options = (await world.client.post(f"{MINE}/options", headers=headers)).json()
    created = Authenticator("https://evil.example.org", "evil.example.org").create(options)
    refused = await world.client.post(MINE, json={"name": "X", "passkey": created}, headers=headers)

    assert options["rp"]["id"] == "localhost"
    assert code(refused) == (400, "BAD_PASSKEY")


@pytest.mark.slow(3)
def test_api_imports_no_webauthn_until_a_passkey_is_used() -> None:
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT / "services",
        env=os.environ | {"DATABASE_URL": "postgresql://localhost/accounts"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.stdout == "set()\n", result.stderr
