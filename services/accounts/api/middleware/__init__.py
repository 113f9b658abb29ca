"""ASGI middlewares, which wrap every request."""
