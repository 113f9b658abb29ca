"""The application."""

from fastapi import FastAPI

from benchmarks.good import groups, invitations, sessions, users

app = FastAPI()
for module in (sessions, groups, invitations, users):
    app.include_router(module.router)
