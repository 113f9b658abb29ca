"""The HTTP routes, by context."""
