"""All pages of the administration under one path."""

from types import ModuleType

from fastapi import Depends, FastAPI

from accounts.api.account_pages.done_messages import done_texts
from accounts.api.account_pages.navigation import navigation
from accounts.api.account_pages.paths import require_pages_enabled
from accounts.api.admin_pages import audit, dashboard, groups, mail, system, user, user_actions, users
from accounts.api.admin_pages.access import require_admin

# In the order of the navigation.
MODULES: tuple[ModuleType, ...] = (dashboard, users, user, user_actions, groups, audit, mail, system)


def add_admin_pages(app: FastAPI) -> None:
    """Add the pages, their navigation and their texts, to those of the account pages."""
    app.state.admin_navigation = navigation(MODULES)
    app.state.done |= done_texts(MODULES)
    for module in MODULES:
        app.include_router(
            module.router,
            dependencies=[Depends(require_pages_enabled), Depends(require_admin)],
            include_in_schema=False,
        )
