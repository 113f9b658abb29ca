"""Routes for invitations."""
