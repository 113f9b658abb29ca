"""The application for ``make dev``. uvicorn configures its own logs at each reload; ``create_app`` replaces them."""

from logging.config import dictConfig

from fastapi import FastAPI

from accounts.api import app
from accounts.observability import logs
from accounts.settings import get_settings


def create_app() -> FastAPI:
    """Create the application, and configure logs as in all other processes."""
    dictConfig(logs.config(get_settings()))
    return app.create_app()
