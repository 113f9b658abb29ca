"""Settings that are hosts, ports, URLs and networks: each value works in the form that is stored, or is refused."""

import re
from collections.abc import Callable
from ipaddress import ip_network
from urllib.parse import urlsplit

import pytest
from gunicorn.util import parse_address

from accounts.settings import Settings, SettingsError, get_settings
from accounts.settings_addresses import HOST_FORM, bracketed, trusted_peers

KUBERNETES = "must be a port number; Kubernetes sets it for a Service: set enableServiceLinks: false"
VALID = {
    "ENVIRONMENT": "production",
    "DATABASE_URL": "postgresql://accounts@db:5432/accounts",
    "SECRET_KEY": "0123456789abcdef0123456789abcdef",
    "PUBLIC_URL": "https://accounts.example.com",
}
KINDS = re.compile("_(host|hosts|port|url|origins|proxies|endpoint)$")
ADDRESSES = [name.upper() for name in Settings.model_fields if KINDS.search(name)]
LINKS = {"TERMS_URL", "PRIVACY_URL"}  # of pages
WORDS = r"""
    :: ::1 [::1] [::1]:8000 2001:DB8::1 fe80::1%lo ::ffff:127.0.0.1 127.0.0.1 127.0.0.1:80 127.1 0.0.0.0 localhost
    LOCALHOST:8000 Example.COM example.com. .example.com *.example.com * ** my_api bücher.example BÜCHER.example:443 ☃
    a,b -a a/b a:b a:99999 [ [] ] [a] tcp://10.0.0.1:8000 http:// https:// http:///x //a ftp://a javascript:alert(1)
    https://a.example https://A.Example HTTPS://a.example https://a.example/ https://a.example// https://a.example/x
    https://a.example:443 http://a.example:80/ https://a.example:80 https://a.example: https://a.example:0
    https://a.example:99999 https://a.example:x https://bücher.example https://u:p@a.example https://@a.example
    https://a.example?x https://a.example? https://a.example#x https://a.example# https://[::1]:8000 https://[::1
    https://::1 https://a\b https://a.example/ü null 0 80 08000 -1 65536 1e3 10.0.0.0/8 10.0.0.1/8 ::ffff:10.0.0.0/104
"""
BLANKS = ("a b", " a.example ", "https://a b.example", "https://a.example/a b", "https://a.example\n", "\t", "\u200b")
HOSTILE = (*WORDS.split(), *BLANKS, "https://\u200ba.example", "\u0661", "x" * 300, "9" * 5000)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A valid environment."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in VALID.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def loaded() -> Settings:
    return get_settings.__wrapped__()


def stored(name: str) -> str:
    """Return a setting as text, as a variable would give it."""
    value = getattr(loaded(), name.lower())
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def works(name: str, value: str) -> bool:
    """Return whether what is stored is what the setting is compared with, or used for."""
    kind = KINDS.search(name.lower())
    assert kind
    checks: dict[str, Callable[[str], bool]] = {
        "port": lambda port: 0 <= int(port) <= 65535,
        "proxies": lambda proxy: bool(ip_network(proxy)),
        "host": lambda host: parse_address(f"{bracketed(host)}:8000") == (host, 8000),
        "hosts": lambda host: bool(re.fullmatch(r"\*|(\*\.)?(\[[0-9a-f:.]+(%\w+)?\]|[a-z0-9._-]+)", host)),
        "origins": lambda origin: origin == "*" or is_url(origin, path=False),
        "url": lambda url: is_url(link_start(url) if name in LINKS else url, path=name != "PUBLIC_URL"),
        "endpoint": lambda url: is_url(url, path=True),
    }
    return name == "DATABASE_URL" or all(map(checks[kind[1]], value.split(",")))


def link_start(value: str) -> str:
    """Return what precedes the query and the fragment, which links of pages may have."""
    return re.split(r"/*[?#]|/*$", value)[0]


def is_url(value: str, *, path: bool) -> bool:
    """Return whether a browser would write a URL, or an origin, like this."""
    parts = urlsplit(value)
    default = 80 if parts.scheme == "http" else 443
    plain = value.isascii() and not re.search(r"[\s?#@\\]|/$", value) and parts.netloc == parts.netloc.lower()
    return plain and bool(parts.hostname) and (path or not parts.path) and parts.port not in {default, 0}


@pytest.mark.parametrize("name", ADDRESSES)
def test_hostile_values_work_or_are_refused_in_one_line_that_names_the_setting(
    environment: pytest.MonkeyPatch, name: str
) -> None:
    for value in HOSTILE:
        environment.setenv(name, value)
        normal = refusal = ""
        try:
            normal = stored(name)
        except SettingsError as error:
            refusal = str(error.code)
        if normal:
            environment.setenv(name, normal)
            assert works(name, normal), value
            assert stored(name) == normal, value
        assert re.fullmatch(rf"accounts: {name}: [^\n^]+", refusal) or not refusal, value


@pytest.mark.parametrize(
    ("name", "value", "normal"),
    [
        ("API_HOST", "[::1]", "::1"),
        ("METRICS_HOST", "[::]", "::"),
        ("SMTP_HOST", "Smtp.BÜCHER.example", "smtp.xn--bcher-kva.example"),
        ("PUBLIC_URL", "https://Straße.example:443/", "https://xn--strae-oqa.example"),
        ("PUBLIC_URL", "http://[2001:DB8::1]:80", "http://[2001:db8::1]"),
        ("PAGES_URL", "https://BÜCHER.example/Konto/ü/", "https://xn--bcher-kva.example/Konto/%C3%BC"),
        (
            "CORS_ORIGINS",
            "https://App.Example.com:443/, http://bücher.example:8080,*",
            "https://app.example.com,http://xn--bcher-kva.example:8080,*",
        ),
        (
            "ALLOWED_HOSTS",
            ".Example.com, *.bücher.example, a.example:8000",
            "*.example.com,example.com,*.xn--bcher-kva.example,a.example",
        ),
        ("ALLOWED_HOSTS", "::1,[::1]:8000,2001:DB8::1", "[::1],[::1],[2001:db8::1]"),
        ("TRUSTED_PROXIES", "::ffff:10.0.0.0/104,::ffff:127.0.0.1", "10.0.0.0/8,127.0.0.1/32"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://Collector:4318/", "http://collector:4318"),
    ],
)
def test_value_is_stored_in_its_normal_form(
    environment: pytest.MonkeyPatch, name: str, value: str, normal: str
) -> None:
    environment.setenv(name, value)

    assert stored(name) == normal


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("API_PORT", "tcp://10.0.0.1:8000", KUBERNETES),
        ("SMTP_PORT", "0", "must be a port number from 1 to 65535"),
        ("API_HOST", "http://localhost", "must be a host name or an IP address, without scheme and port"),
        ("PUBLIC_URL", "https://u:p@a.example", "must not contain a user name or a password"),
        (
            "PUBLIC_URL",
            "https://a.example/x",
            "must end after the host, or the port, such as https://accounts.example.com",
        ),
        (
            "CORS_ORIGINS",
            "app.example.com",
            "must begin with https:// or http://, such as https://accounts.example.com",
        ),
        ("CORS_ORIGINS", "https://", "must be a URL with a host, such as https://accounts.example.com"),
        ("PAGES_URL", "https://a.example/x?y", "must have neither blanks nor a query or fragment (? or #)"),
        ("ALLOWED_HOSTS", "https://a.example", f"{HOST_FORM}; *.example.com is all names below a domain, and * is any"),
    ],
)
def test_refusal_says_what_is_wrong(environment: pytest.MonkeyPatch, name: str, value: str, message: str) -> None:
    environment.setenv(name, value)

    with pytest.raises(SettingsError) as error:
        loaded()

    assert error.value.code == f"accounts: {name}: {message}"


@pytest.mark.parametrize(
    ("host", "port", "url"),
    [
        ("", "", "http://localhost:8000"),
        ("127.0.0.1", "8001", "http://localhost:8001"),
        ("::", "80", "http://localhost"),
        ("192.0.2.7", "8001", "http://192.0.2.7:8001"),
        ("[2001:db8::1]", "8001", "http://[2001:db8::1]:8001"),
    ],
)
def test_public_url_is_where_the_service_answers(
    environment: pytest.MonkeyPatch, host: str, port: str, url: str
) -> None:
    for name, value in {"ENVIRONMENT": "development", "PUBLIC_URL": "", "API_HOST": host, "API_PORT": port}.items():
        environment.setenv(name, value)

    assert loaded().public_url == url


def test_production_requires_a_public_url(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("PUBLIC_URL")

    with pytest.raises(SettingsError, match=r"^accounts: PUBLIC_URL is not set; in production it is the https:// URL"):
        loaded()


def test_ipv4_proxies_are_trusted_as_a_socket_for_both_protocols_shows_them(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TRUSTED_PROXIES", "10.0.0.0/8,2001:db8::/32")

    peers = trusted_peers(loaded().trusted_proxies)

    assert peers == ["10.0.0.0/8", "2001:db8::/32", "::ffff:10.0.0.0/104"]


def test_links_of_pages_may_have_a_query_and_a_fragment(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TERMS_URL", " https://example.com/legal?lang=en#terms ")

    assert loaded().terms_url == "https://example.com/legal?lang=en#terms"


@pytest.mark.parametrize("name", ["TERMS_URL", "PRIVACY_URL"])
@pytest.mark.parametrize("url", ["http://example.com", "javascript:alert(1)", "example.com", "https://a b.example.com"])
def test_links_of_pages_are_https(environment: pytest.MonkeyPatch, name: str, url: str) -> None:
    environment.setenv(name, url)

    with pytest.raises(SettingsError, match=f"^accounts: {name}: must "):
        loaded()
