"""The commands of "Second factors" add an authenticator app, sign in with it, and step up."""

import json
import os
import subprocess
from typing import Any

import pyotp
import pytest

from support.gunicorn import gunicorn
from support.people import PASSWORD, World
from support.processes import free_port
from support.project import ROOT, blocks

PAGE = ROOT / "docs/second-factors.md"


def commands(section: str) -> list[str]:
    return [block.text for block in blocks(PAGE, section) if block.language == "sh"]


@pytest.mark.slow
async def test_commands_of_the_page_do_what_it_says(fresh_database: str, busy_world: World) -> None:
    arthur, port = await busy_world.user("arthur"), free_port()

    def run(command: str, **variables: str) -> Any:
        here = command.replace("localhost:8000", f"127.0.0.1:{port}")
        done = subprocess.run(
            ["/bin/sh", "-euc", here], env=os.environ | variables, capture_output=True, text=True, check=True
        )
        return json.loads(done.stdout) if done.stdout else None

    with gunicorn(fresh_database, workers=1, API_PORT=str(port), PUBLIC_URL=f"http://127.0.0.1:{port}") as server:
        form = {"username": arthur.email, "password": PASSWORD}
        token = server.api.post("/auth/jwt/login", data=form).json()["access_token"]
        create, confirm = commands("Add an authenticator app")
        app = pyotp.TOTP(run(create, TOKEN=token)["secret"])
        assert len(run(confirm, TOKEN=token, CODE=app.now())["recovery_codes"]) == 10

        waiting = server.api.post("/auth/jwt/login", data=form)
        shown = json.loads(next(each.text for each in blocks(PAGE, "Sign in") if each.language == "json"))
        assert waiting.status_code == 403
        assert shown.keys() <= waiting.json().keys()
        assert (shown["detail"], shown["factors"]) == ("MFA_REQUIRED", waiting.json()["factors"])
        [finish], [elevate] = commands("Sign in"), commands("Step up")
        await busy_world.sql("UPDATE totp SET last_step = 0")
        signed_in = run(finish, MFA_TOKEN=waiting.json()["mfa_token"], CODE=app.now())
        await busy_world.sql("UPDATE totp SET last_step = 0")
        assert run(elevate, TOKEN=signed_in["access_token"], CODE=app.now()) is None
