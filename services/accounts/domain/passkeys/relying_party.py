"""The relying party (WebAuthn Level 3, 4): the domain that passkeys belong to, and the origins of pages that use them.

Both come from the settings, never from a request: its Host header is the client's.
"""

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from accounts.domain import errors
from accounts.settings import Settings, SettingsError

ES256, EDDSA, RS256 = -7, -8, -257  # COSE algorithms. Windows Hello may have RSA only
ALGORITHMS = (ES256, EDDSA, RS256)
LOCALHOST = "localhost"  # browsers trust it over plain HTTP


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """The domain of the passkeys, its name for people, and the accepted origins."""

    id: str
    name: str
    origins: tuple[str, ...]


def relying_party(settings: Settings) -> RelyingParty:
    """Return the relying party.

    Raises:
        PasskeysUnavailable: no page could use it, since browsers require TLS and a domain.

    """
    party = _relying_party(settings)
    if not party.origins:
        raise errors.PasskeysUnavailable
    return party


def is_available(settings: Settings) -> bool:
    """Return whether passkeys can be used in this installation."""
    return bool(_relying_party(settings).origins)


def check_domain(settings: Settings) -> None:
    """Check that PASSKEY_RP_ID, if it is set, is the domain of a page.

    Raises:
        SettingsError: no page is in this domain.

    """
    if settings.passkey_rp_id and not is_available(settings):
        raise SettingsError(
            "accounts: PASSKEY_RP_ID: must be the host, or a domain above it, of an https:// URL in PUBLIC_URL, "
            "PAGES_URL or CORS_ORIGINS"
        )


def _relying_party(settings: Settings) -> RelyingParty:
    domain = settings.passkey_rp_id or urlsplit(settings.public_url).hostname or ""
    urls = map(urlsplit, (settings.public_url, settings.pages_url, *settings.cors_origins))
    origins = [f"{url.scheme}://{url.netloc}" for url in urls if _is_secure(url.scheme, url.hostname or "")]
    return RelyingParty(
        domain, settings.service, tuple(origin for origin in origins if _is_in(urlsplit(origin).hostname or "", domain))
    )


def _is_secure(scheme: str, host: str) -> bool:
    return not _is_address(host) and (scheme == "https" or host == LOCALHOST)


def _is_in(host: str, domain: str) -> bool:
    return host == domain or host.endswith(f".{domain}")


def _is_address(host: str) -> bool:
    try:
        return bool(ip_address(host))
    except ValueError:
        return False
