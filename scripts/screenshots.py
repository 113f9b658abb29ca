"""Renews the images of the documentation: ``make screenshots``.

Serves a database of its own with a small group of people, and photographs pages with Chromium, in light and dark.
"""

import asyncio
import os
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import uvicorn
from alembic import command
from alembic.config import Config
from playwright.async_api import Page, async_playwright

from environment import ROOT
from postgres import throwaway

FOLDER = ROOT / "docs" / "images"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
EMAIL, PASSWORD = "arthur@example.com", "correct-horse-battery"
SIZE = {"width": 960, "height": 720}
# File name, path, and whether a user is signed in.
PAGES = (
    ("sign-in", "/account/sign-in", False),
    ("account", "/account", True),
    ("group", "/account/groups/1", True),
    ("administration", "/admin", True),
)
