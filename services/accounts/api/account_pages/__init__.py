"""HTML pages, without scripts, for people: sign-in, registration, passwords, invitations and sessions."""
