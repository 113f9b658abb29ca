"""Routes of the sign-in with other providers."""
