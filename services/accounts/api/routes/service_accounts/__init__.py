"""Routes for service accounts and their secrets."""
