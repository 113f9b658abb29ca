"""What an authenticator app scans: the secret as a URI and as a QR code.

The URI is the one of Google Authenticator, which other apps read as well.
"""

from base64 import b32encode
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from accounts.domain.totp.codes import DIGITS, PERIOD
from accounts.models import User
from accounts.settings import Settings

# An app shows both names. Together with the longest ones, a QR code would have to hold more than it can.
SERVICE_LENGTH, ACCOUNT_LENGTH = 30, 100


@dataclass(frozen=True, slots=True)
class Provisioning:
    """The secret in base32, the URI, and the URI as a QR code: an SVG image as a data URI."""

    secret: str
    uri: str
    qr: str


def provision(settings: Settings, user: User, secret: bytes) -> Provisioning:
    """Return what brings a secret into an authenticator app."""
    text = b32encode(secret).decode()
    service, account = settings.service.replace(":", " ")[:SERVICE_LENGTH], user.email[:ACCOUNT_LENGTH]
    values = {"secret": text, "issuer": service, "algorithm": "SHA1", "digits": DIGITS, "period": PERIOD}
    uri = f"otpauth://totp/{quote(f'{service}:{account}', safe=':@')}?{urlencode(values, quote_via=quote)}"
    return Provisioning(text, uri, _qr_code(uri))


def _qr_code(text: str) -> str:
    import segno  # noqa: PLC0415  # only here, so that an API that never shows one does not load it

    code: str = segno.make(text, micro=False).svg_data_uri(scale=4, light="#fff")
    return code
