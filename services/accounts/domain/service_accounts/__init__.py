"""Service accounts: users that are programs. A group owns them, and they sign in by client secrets."""
