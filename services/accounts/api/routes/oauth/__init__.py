"""Routes of OAuth 2.0, for programs."""
