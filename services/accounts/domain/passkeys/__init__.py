"""Passkeys (WebAuthn Level 3): add and remove them, sign in with one, and use one as the second factor."""
