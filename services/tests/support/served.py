"""The application of a world, served over HTTP, for browsers."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.types import Receive, Scope, Send

from support.people import World


@asynccontextmanager
async def served(world: World) -> AsyncIterator[str]:
    """Serve a world over HTTP, under the URL that its mails contain."""
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://localhost:{listening.getsockname()[1]}"
    world.change_settings(public_url=url)

    async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
        await world.app({**scope, "state": dict(world.state)}, receive, send)

    server = uvicorn.Server(uvicorn.Config(asgi, log_level="error", lifespan="off"))
    serving = asyncio.create_task(server.serve([listening]))
    yield url
    server.should_exit = True
    await serving
