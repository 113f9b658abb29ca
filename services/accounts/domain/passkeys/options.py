"""Options of ceremonies, as ``PublicKeyCredential.parse…OptionsFromJSON`` of browsers reads them.

The members are those of WebAuthn Level 3, 5.1.8 and 5.1.9. User verification is required, so a passkey is two factors.
"""

from base64 import urlsafe_b64encode
from collections.abc import Iterable
from typing import Any

from accounts.domain.passkeys.challenges import LIFETIME
from accounts.domain.passkeys.relying_party import ALGORITHMS, RelyingParty
from accounts.models import Passkey, User

TYPE = "public-key"
TIMEOUT = int(LIFETIME.total_seconds() * 1000)  # in milliseconds
VERIFICATION = "required"


def creation_options(party: RelyingParty, challenge: bytes, user: User, existing: Iterable[Passkey]) -> dict[str, Any]:
    """Return the options to create a passkey of a user, on an authenticator that has none of the ``existing`` ones.

    The user handle is the user's id, which says nothing about the person (14.6.1).
    """
    return {
        "rp": {"id": party.id, "name": party.name},
        "user": {"id": to_base64(user.id.bytes), "name": user.email, "displayName": user.display_name or user.email},
        "challenge": to_base64(challenge),
        "pubKeyCredParams": [{"type": TYPE, "alg": algorithm} for algorithm in ALGORITHMS],
        "timeout": TIMEOUT,
        "excludeCredentials": _descriptors(existing),
        "authenticatorSelection": {
            "residentKey": "required",
            "requireResidentKey": True,
            "userVerification": VERIFICATION,
        },
        "attestation": "none",
    }


def request_options(party: RelyingParty, challenge: bytes, allowed: Iterable[Passkey] = ()) -> dict[str, Any]:
    """Return the options to use a passkey: one of ``allowed``, or else any that the browser finds."""
    return {
        "challenge": to_base64(challenge),
        "timeout": TIMEOUT,
        "rpId": party.id,
        "allowCredentials": _descriptors(allowed),
        "userVerification": VERIFICATION,
    }


def accepted_credentials(party: RelyingParty, user: User, passkeys: Iterable[Passkey]) -> dict[str, Any]:
    """Return what ``PublicKeyCredential.signalAllAcceptedCredentials`` tells password managers (5.1.10)."""
    ids = [to_base64(passkey.credential_id) for passkey in passkeys]
    return {"rpId": party.id, "userId": to_base64(user.id.bytes), "allAcceptedCredentialIds": ids}


def to_base64(value: bytes) -> str:
    """Encode bytes as WebAuthn's JSON does: base64url without padding."""
    return urlsafe_b64encode(value).decode().rstrip("=")


def _descriptors(passkeys: Iterable[Passkey]) -> list[dict[str, Any]]:
    return [
        {"type": TYPE, "id": to_base64(passkey.credential_id), "transports": passkey.transports} for passkey in passkeys
    ]
