"""Users and sign-in on the wire."""
