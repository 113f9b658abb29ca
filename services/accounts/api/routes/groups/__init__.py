"""Routes for groups and their members."""
