"""Sessions: access tokens, refresh tokens and cookies."""
