"""All pages of the administration under one path."""

from types import ModuleType

from fastapi import Depends, FastAPI

from accounts.api.account_pages.navigation import navigation
from accounts.api.account_pages.render import require_pages_enabled
from accounts.api.admin_pages import user, user_actions, users
from accounts.api.admin_pages.access import require_admin

MODULES: tuple[ModuleType, ...] = (users, user, user_actions)
from accounts.api.admin_pages import audit, groups, mail, system
from accounts.api.admin_pages.access import require_admin

MODULES: tuple[ModuleType, ...] = (groups, audit, mail, system)
from accounts.api.admin_pages import dashboard
from accounts.api.admin_pages.access import require_admin

MODULES: tuple[ModuleType, ...] = (dashboard,)


def add_admin_pages(app: FastAPI) -> None:
    """Add the pages, and their navigation."""
    app.state.admin_navigation = navigation(MODULES)
    for module in MODULES:
        app.include_router(
            module.router,
            dependencies=[Depends(require_pages_enabled), Depends(require_admin)],
            include_in_schema=False,
        )
