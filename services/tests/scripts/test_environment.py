"""Creating ``.env``, and checking its variables."""

import re
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

import environment
from accounts.settings_types import pem_keys


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / ".env"
    monkeypatch.setattr(environment, "FILE", file)
    monkeypatch.setattr(environment, "OVERRIDES", tmp_path / ".local" / "overrides")
    monkeypatch.setattr(environment, "PROVIDERS", tmp_path / ".local" / "providers.env")
    for name in ("API_PORT", "LOG_LEVEL", "PUBLIC_URL"):
        monkeypatch.delenv(name, raising=False)
    return file


def test_later_commands_use_the_variables_of_the_last_up(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("API_PORT=8000\nLOG_LEVEL=info\nPUBLIC_URL=http://localhost:$API_PORT\n")
    with monkeypatch.context() as up:
        up.setenv("API_PORT", "8001")
        up.setenv("LOG_LEVEL", "info")
        up.setenv("MAIL_FROM", 'Knights "of" $1 <a@example.com>')
        environment.remember()

    later = environment.effective()
    assert (later["API_PORT"], later["PUBLIC_URL"]) == ("8001", "http://localhost:8001")
    assert later["MAIL_FROM"] == 'Knights "of" $1 <a@example.com>'
    assert "LOG_LEVEL" not in environment.OVERRIDES.read_text()
    assert stat.S_IMODE(environment.OVERRIDES.stat().st_mode) == 0o600
    assert environment.effective({})["API_PORT"] == "8000"

    monkeypatch.setenv("API_PORT", "8002")
    assert environment.effective()["API_PORT"] == "8002"

    monkeypatch.delenv("API_PORT")
    environment.remember()
    assert environment.effective()["API_PORT"] == "8000"


def test_each_copy_has_a_compose_project_of_its_own(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    projects = set()
    for copy in ("/home/arthur/accounts", "/home/arthur/accounts2", "/home/arthur/accounts"):
        monkeypatch.setattr(environment, "ROOT", Path(copy))
        file.unlink(missing_ok=True)
        environment.create()
        projects.add(environment.read(file)["COMPOSE_PROJECT_NAME"])

    assert len(projects) == 2
    assert all(re.fullmatch("accounts-[0-9a-f]{6}", project) for project in projects)


def test_new_installation_has_a_key_pair_that_signs_and_an_earlier_one_gets_none(file: Path) -> None:
    environment.create()
    (pem,) = pem_keys(environment.read(file)["SIGNING_KEY"])
    key = load_pem_private_key(pem, password=None)
    assert isinstance(key, EllipticCurvePrivateKey)
    assert isinstance(key.curve, SECP256R1)
    key.public_key().verify(key.sign(b"claims", ECDSA(SHA256())), b"claims", ECDSA(SHA256()))

    file.write_text("SECRET_KEY=as-before\nPOSTGRES_PASSWORD=-\nPOSTGRES_API_PASSWORD=-\n")
    environment.check()
    assert "SIGNING_KEY" not in environment.read(file)


def test_check_warns_about_unknown_variables_except_those_of_compose(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(environment.EXAMPLE.read_text() + "COMPOSE_FILE=compose.yaml\nAPI_PROT=8001\n")

    environment.check()

    assert capsys.readouterr().err == ".env: API_PROT is not a variable of .env.example; did you mean API_PORT?\n"


def test_variables_of_providers_are_written_for_compose_and_nothing_else(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text("SECRET_KEY=s\nOIDC_PROVIDERS=google\nOIDC_GOOGLE_NAME='a $b \"c\"'\nOIDC_GOOGLE_CLIENT_ID=file\n")
    monkeypatch.setenv("OIDC_GOOGLE_CLIENT_ID", "shell")

    environment.write_providers()
    environment.remember()

    written = environment.read(environment.PROVIDERS)
    assert written == {"OIDC_GOOGLE_NAME": 'a $b "c"', "OIDC_GOOGLE_CLIENT_ID": "shell"}
    assert stat.S_IMODE(environment.PROVIDERS.stat().st_mode) == 0o600
    assert environment.read(environment.OVERRIDES)["OIDC_GOOGLE_CLIENT_ID"] == "shell"


def test_check_knows_the_variables_of_providers(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = "OIDC_PROVIDERS=google, my-work\nOIDC_MY_WORK_ISSUER=-\nOIDC_MY_WORK_ISUER=-\n"
    file.write_text(environment.EXAMPLE.read_text().replace("OIDC_PROVIDERS=\n", given))

    environment.check()

    unknown = "OIDC_MY_WORK_ISUER is not a variable of .env.example; did you mean OIDC_MY_WORK_ISSUER?"
    assert capsys.readouterr().err == f".env: {unknown}\n"
