"""Schemas of users and sign-in."""
