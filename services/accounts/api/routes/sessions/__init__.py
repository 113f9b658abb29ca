"""Routes for sessions and public keys."""
