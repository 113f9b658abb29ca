"""What is allowed: rules and queries, with no routes and no status codes."""
