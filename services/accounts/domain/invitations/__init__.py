"""Invitations to groups, one at a time or from a CSV file."""
