"""Routes of passkeys."""
