"""The application as ``make dev`` serves it: uvicorn has its own idea of logs, which this replaces in each reload."""

from logging.config import dictConfig

from fastapi import FastAPI

from accounts.api import app
from accounts.observability import logs
from accounts.settings import get_settings


def create_app() -> FastAPI:
    """Make the application, with the logs of all processes."""
    dictConfig(logs.config(get_settings()))
    return app.create_app()
