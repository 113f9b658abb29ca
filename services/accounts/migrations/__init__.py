"""The schema's history, and the process that applies it: ``alembic upgrade head``."""
