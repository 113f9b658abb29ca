"""OAuth 2.0 for other services: what a token is worth now, and how to end it."""
