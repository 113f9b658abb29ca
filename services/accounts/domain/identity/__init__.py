"""Users: sign-in, passwords, e-mail addresses and one-time tokens."""
