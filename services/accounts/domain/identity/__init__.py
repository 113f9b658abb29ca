"""Users: sign-in, passwords, email addresses and one-time tokens."""
