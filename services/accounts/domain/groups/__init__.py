"""Groups: members, roles and permissions."""
