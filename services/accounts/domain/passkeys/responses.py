"""Verifies what authenticators return (WebAuthn Level 3, 7). The only module that imports ``webauthn``.

It does so when the first passkey is used, in a thread: the import takes 5 MB, and a fifth of a second.
"""

import json
from asyncio import to_thread
from base64 import urlsafe_b64decode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from accounts.domain import errors
from accounts.domain.passkeys.relying_party import ALGORITHMS, RelyingParty
from accounts.models.passkeys import CREDENTIAL_ID_LENGTH

MAX_LENGTH = 12_000  # of the response as JSON. It bounds the time of parsers, and has room for an RSA key's

Response = dict[str, Any]


@dataclass(frozen=True, slots=True)
class NewCredential:
    """A credential that an authenticator has created."""

    id: bytes
    public_key: bytes
    sign_count: int
    backup_eligible: bool


@dataclass(frozen=True, slots=True)
class Assertion:
    """A proof that an authenticator has a private key, and that it verified its user."""

    sign_count: int
    backup_eligible: bool


def read_challenge(response: Response) -> bytes:
    """Return the challenge that a response answers. Nothing of it is verified yet.

    Raises:
        BadPasskey: the response is too long or malformed, or comes from a page in another site's frame.

    """
    return _guarded(_read_challenge, response)


def read_credential_id(response: Response) -> bytes:
    """Return the id of the credential that a response names.

    Raises:
        BadPasskey: it is malformed.

    """
    return _guarded(lambda: _decode(response["id"]))


def read_user_handle(response: Response) -> bytes | None:
    """Return the id of the user of a credential, if the authenticator says it.

    Raises:
        BadPasskey: it is malformed.

    """
    return _guarded(lambda: _decode(handle) if (handle := response["response"].get("userHandle")) else None)


async def verify_creation(response: Response, challenge: bytes, party: RelyingParty) -> NewCredential:
    """Verify that an authenticator has created a credential, and verified its user.

    Raises:
        BadPasskey: it did not, or did for another challenge, origin or relying party.

    """
    return await to_thread(_guarded, _verify_creation, response, challenge, party)


async def verify_assertion(response: Response, challenge: bytes, party: RelyingParty, public_key: bytes) -> Assertion:
    """Verify that an authenticator has a credential's private key, and verified its user.

    The signature counter is for the caller to compare, after the signature.

    Raises:
        BadPasskey: it has not, or answers another challenge, origin or relying party.

    """
    return await to_thread(_guarded, _verify_assertion, response, challenge, party, public_key)


def _verify_creation(response: Response, challenge: bytes, party: RelyingParty) -> NewCredential:
    from webauthn import verify_registration_response  # noqa: PLC0415  # see above
    from webauthn.helpers.cose import COSEAlgorithmIdentifier  # noqa: PLC0415

    verified = verify_registration_response(
        credential=response,
        expected_challenge=challenge,
        expected_rp_id=party.id,
        expected_origin=[*party.origins],
        require_user_verification=True,
        supported_pub_key_algs=[*map(COSEAlgorithmIdentifier, ALGORITHMS)],
    )
    if len(verified.credential_id) > CREDENTIAL_ID_LENGTH:
        raise errors.BadPasskey
    return NewCredential(
        verified.credential_id,
        verified.credential_public_key,
        verified.sign_count,
        verified.credential_device_type == "multi_device",
    )


def _verify_assertion(response: Response, challenge: bytes, party: RelyingParty, public_key: bytes) -> Assertion:
    from webauthn import verify_authentication_response  # noqa: PLC0415  # see above

    verified = verify_authentication_response(
        credential=response,
        expected_challenge=challenge,
        expected_rp_id=party.id,
        expected_origin=[*party.origins],
        require_user_verification=True,
        credential_public_key=public_key,
        credential_current_sign_count=0,  # it would compare before it verifies the signature
    )
    return Assertion(verified.new_sign_count, verified.credential_device_type == "multi_device")


def _read_challenge(response: Response) -> bytes:
    if len(json.dumps(response)) > MAX_LENGTH:
        raise errors.BadPasskey
    client_data = json.loads(_decode(response["response"]["clientDataJSON"]))
    if client_data.get("crossOrigin"):
        raise errors.BadPasskey
    return _decode(client_data["challenge"])


def _decode(text: str) -> bytes:
    return urlsafe_b64decode(f"{text}===")


def _guarded[**P, R](parse: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Raise BadPasskey for whatever malformed input causes: the library lets the errors of its parsers through."""
    try:
        return parse(*args, **kwargs)
    except Exception as error:  # see above
        raise errors.BadPasskey from error
