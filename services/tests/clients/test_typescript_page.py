"""The page on Node and TypeScript: its service verifies tokens, and its clients are generated, type-checked and run."""

import os
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from httpx2 import Client, TransportError

from keys import key_pair
from support.gunicorn import Gunicorn, end, gunicorn
from support.node import needs_node, node_modules, run, run_tool
from support.processes import free_port
from support.project import ROOT, Block, blocks
from support.waiting import wait_until

pytestmark = [pytest.mark.slow(seconds=40), needs_node]
PAGE = ROOT / "docs" / "typescript.md"
DOCUMENTED = "http://localhost:8000"
PERSON = {"email": "arthur@example.com", "password": "correct-horse-battery"}
CLIENTS = {"openapi-typescript": ("schema", "Round Table"), "orval": ("accounts", "Siege Perilous")}
# What the page says of files and errors: an owner's own row is exported, and refused by the import.
FILES = {
    "openapi-typescript": """
const [{ id }] = groups!;
const path = { group_id: id };
const { data: csv } = await api.GET("/user-groups/{group_id}/users/export", { params: { path }, parseAs: "text" });
const { error: refused } = await api.POST("/user-groups/{group_id}/users/import", {
  params: { path, query: { dry_run: true } }, body: csv as string,
  bodySerializer: (csv) => csv, headers: { "Content-Type": "text/csv" },
});
console.log(refused!.errors![0]!.type);
""",
    "orval": """
import { exportMembers, importMembers } from "./accounts.js";
const { data: csv } = await exportMembers(groups[0].id);
const file = new Blob([csv as unknown as string], { type: "text/csv" });
const refused = await importMembers(groups[0].id, file).catch((error) => error.response.data);
console.log(refused.errors[0].type);
""",
}


def snippets(section: str) -> list[Block]:
    return list(blocks(PAGE, section))


@pytest.fixture
def server(fresh_database: str) -> Iterator[Gunicorn]:
    """The API with a key pair, and Arthur."""
    port = str(free_port())
    public = {"API_PORT": port, "PUBLIC_URL": f"http://127.0.0.1:{port}"}
    with gunicorn(fresh_database, workers=1, SIGNING_KEY=key_pair(), **public) as server:
        assert server.api.post("/auth/register", json=PERSON).status_code == 201
        yield server


def url_of(server: Gunicorn) -> str:
    return str(server.api.base_url).rstrip("/")


@contextmanager
def service_in_node(issuer: str) -> Iterator[Client]:
    """Run the service of the page."""
    (script,) = [block.text for block in snippets("A service in Node") if block.language == "js"]
    port = str(free_port())
    environment = os.environ | {"ISSUER": issuer, "PORT": port}
    command = ["node", "--input-type=module", "--eval", script]
    with (
        subprocess.Popen(command, cwd=node_modules().parent, env=environment) as process,
        Client(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        try:
            wait_until("the service in Node answers", lambda: answers(client))
            yield client
        finally:
            end(process)


def answers(client: Client) -> bool:
    try:
        return bool(client.get("/").status_code)
    except TransportError:
        return False


def test_service_in_node_knows_the_user_of_an_access_token(server: Gunicorn) -> None:
    form = {"username": PERSON["email"], "password": PERSON["password"]}
    tokens = server.api.post("/auth/jwt/login", data=form).json()
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    user = server.api.get("/users/me", headers=headers).json()

    with service_in_node(url_of(server)) as service:
        answer, anonymous = service.get("/", headers=headers), service.get("/")
        forged = service.get("/", headers={"Authorization": headers["Authorization"][:-4] + "AAAA"})

    assert answer.text == f"Hello {user['id']}!"
    assert (anonymous.status_code, anonymous.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert forged.status_code == 401
    with service_in_node(f"http://127.0.0.1:{free_port()}") as without_issuer:
        assert without_issuer.get("/", headers=headers).status_code == 503


@pytest.mark.parametrize("generator", CLIENTS)
def test_generated_client_signs_in_and_lists_groups(server: Gunicorn, generator: str, tmp_path: Path) -> None:
    commands, programs = (
        [block.text for block in snippets("A client in TypeScript") if block.language == language]
        for language in ("sh", "ts")
    )
    module, group = CLIENTS[generator]
    (command,) = [command for command in commands if f"npx {generator} " in command]
    (program,) = [program for program in programs if f'"./{module}.js"' in program]
    _, *arguments = shlex.split(command.replace(DOCUMENTED, url_of(server)))
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "client.ts").write_text(program.replace(DOCUMENTED, url_of(server)) + FILES[generator])

    run_tool(*arguments, folder=tmp_path)
    run_tool("tsc", "--strict", "--target", "es2022", "--module", "nodenext", "client.ts", folder=tmp_path)
    printed = run("node", "client.js", folder=tmp_path)

    assert printed == f"arthur@example.com [ [ '{group}', 'owner' ] ]\nowner\n"
