"""Breached passwords: a new password is looked up in lists of passwords that were leaked elsewhere. Off by default."""
