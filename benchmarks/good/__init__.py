"""The service as a good FastAPI developer writes it, on the same tables and in the libraries' documented ways.

FastAPI Users with JWTs and this project's password hash, refresh tokens that rotate, SQLModel's session on a tuned
pool, and lists that select columns by joins and keysets. It has neither rate limits nor an audit log, and access tokens
work until they expire.
"""
