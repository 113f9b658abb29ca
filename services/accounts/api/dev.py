"""The application as ``make dev`` serves it: uvicorn configures its own logs at each reload, which this replaces."""

from logging.config import dictConfig

from fastapi import FastAPI

from accounts.api import app
from accounts.observability import logs
from accounts.settings import get_settings


def create_app() -> FastAPI:
    """Create the application, with the logs of all other processes."""
    dictConfig(logs.config(get_settings()))
    return app.create_app()
