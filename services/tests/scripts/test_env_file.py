"""``.env`` means the same on both engines: the values that Docker Compose reads, or an error that names the line."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

import environment
from env_file import EnvFileError, parse, quote

SHELL = {"SET": "from shell", "EMPTY": ""}
VALUES = {  # text of the file: the value of A that Compose 2.40 reads
    "A=pa$$word": "pa$word",
    'A="ab$$cd"': "ab$cd",
    "A='ab$cd'": "ab$cd",
    "A=a$<b": "a$<b",
    'A="a$<b"': "a$<b",
    "A='a$<b'": "a$<b",
    "A=$": "$",
    "A=5$ b$1": "5$ b$1",
    "A=$SET": "from shell",
    'A="${SET}, $SET."': "from shell, from shell.",
    "A='$SET'": "$SET",
    r"A=a\$SET": r"a\from shell",
    r'A="a\$SET"': "a$SET",
    r'A="a\\$SET"': r"a\from shell",
    "A=a${SET}b$$$SET": "afrom shellb$from shell",
    "A=${EMPTY}": "",
    "A=${EMPTY:-default}": "default",
    "A=${EMPTY-default}": "",
    "A=${UNSET:-a b} # c": "a b",
    "A=${UNSET-}": "",
    "B=1\nA=$B": "1",
    "SET=1\nA=$SET": "from shell",
    "A=a # b": "a",
    "A=a  # b": "a",
    "A=a# b": "a# b",
    "A=a\t# b": "a\t# b",
    "A=#b": "#b",
    "A= # b": "# b",
    'A="a" # b': "a",
    "A='a'#b": "a",
    'A="a # b"': "a # b",
    "A=  a b  ": "a b",
    "A=a=b": "a=b",
    "A = a": "a",
    " \tA=a": "a",
    "export A=a": "a",
    "export\tA=a": "a",
    "A=": "",
    "A=\n\nB=2": "",
    "A= \nB=2": "",
    'A=""': "",
    'A="a\nb"': "a\nb",
    "A='a\nb'": "a\nb",
    'A="-----BEGIN KEY-----\nMC4=\n\n# a\n-----END KEY-----\n"\nB=2': (
        "-----BEGIN KEY-----\nMC4=\n\n# a\n-----END KEY-----\n"
    ),
    r'A="a\nb\tc\qd"': "a\nb\tc\\qd",
    'A="a\\\nb"': "a\\\nb",
    r"A='a\nb'": r"a\nb",
    r"A=a\nb": r"a\nb",
    r"A=a\\b": r"a\\b",
    r'A="a\\b"': r"a\b",
    r"A='a\\b'": r"a\\b",
    r"A='it\'s'": "it's",
    r'A="a\"b"': 'a"b',
    "A=it's": "it's",
    'A=a"b"c': 'a"b"c',
    'A="it\'s"': "it's",
    "A=`id`": "`id`",
    "A=1\nA=2": "2",
    "#A=1\n# A=2\nA=3": "3",
    "A=a\r\nB=b\r\n": "a",
    'A="a\r\nb" \r\n': "a\r\nb",
    "A=ü\u2028b": "ü\u2028b",
    "A=a\vb": "a\vb",
    "\ufeffA=1": "1",
}
REFUSED = {  # text of the file: what the message begins with
    "A=$UNSET": "line 1: $UNSET is not set; write $$",
    'B=1\nA="ab$cd"': "line 2: $cd is not set; write $$",
    "A=$B\nB=1": "line 1: $B is not set; write $$",
    "A=${UNSET}": "line 1: $UNSET is not set; write $$",
    "A=${": "line 1: after ${ only",
    "A=${SET:+a}": "line 1: after ${ only",
    "A=${UNSET:-${SET}}": "line 1: after ${ only",
    "A=${UNSET:?a}": "line 1: after ${ only",
    "\n# a\nA": "line 3 is not NAME=value",
    "A: a": "line 1 is not NAME=value",
    "A.b=1": "line 1 is not NAME=value",
    "1A=2": "line 1 is not NAME=value",
    "hello world": "line 1 is not NAME=value",
    "A=\n'x'": "line 2 is not NAME=value",
    'B="1\n2"\nA="open\n\n': "line 3: the closing quote is missing",
    'A="a\\': "line 1: the closing quote is missing",
    "A='it's'": "line 1: there is text after the closing quote",
    'A="a"b': "line 1: there is text after the closing quote",
    r'A="\0101"': "line 1: \\0 is not read the same everywhere",
}
COMPOSE = 'services: {a: {image: "a", environment: {A: "${A-unset}"}}}\n'


@pytest.fixture(autouse=True)
def shell(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UNSET", "A", "B", "cd"):
        monkeypatch.delenv(name, raising=False)
    for name, value in SHELL.items():
        monkeypatch.setenv(name, value)


def read(path: Path, text: str) -> str:
    path.write_text(text, newline="")
    return environment.read(path)["A"]


@pytest.mark.parametrize("text", VALUES)
def test_value_is_read_as_compose_reads_it(tmp_path: Path, text: str) -> None:
    assert read(tmp_path / ".env", text) == VALUES[text]


@pytest.mark.parametrize("text", REFUSED)
def test_line_that_compose_reads_unexpectedly_is_refused_with_its_number(tmp_path: Path, text: str) -> None:
    with pytest.raises(EnvFileError) as error:
        read(tmp_path / ".env", text)

    assert str(error.value).startswith(REFUSED[text])
    assert "\n" not in str(error.value)


WRITTEN = [
    "",
    "a",
    "0123,4567",
    "a b",
    "$SET",
    "$$",
    "it's",
    'a"b',
    "a\\",
    "\\n",
    "a\nb",
    "#a",
    " a ",
    "a # b",
    "ü",
    "${",
    "\\0",
]


@pytest.mark.parametrize("value", WRITTEN)
def test_value_is_written_so_that_it_is_read_again(value: str) -> None:
    assert parse(f"A={quote(value)} # comment\nB=1\n", SHELL) == {"A": value, "B": "1"}


@pytest.mark.slow(seconds=15)
def test_docker_compose_reads_the_same_values(tmp_path: Path) -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("docker compose is not installed")
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    texts = VALUES | {f"A={quote(value)}": value for value in WRITTEN}

    for text, value in texts.items():
        (tmp_path / ".env").write_text(text, newline="")
        command = [docker, "compose", "config", "--format", "json"]
        printed = subprocess.run(
            command, cwd=tmp_path, env=SHELL | {"HOME": str(tmp_path)}, capture_output=True, check=True
        )
        found = json.loads(printed.stdout)["services"]["a"]["environment"]["A"].replace("$$", "$")
        assert found == value, text


def test_blanks_that_editors_paste_are_trimmed_as_compose_does() -> None:
    text = "A=\xa0x\u3000\nB=\x0by\x1c\nC=\u2028z\n"

    assert parse(text, {}) == {"A": "x", "B": "y\x1c", "C": "\u2028z"}
