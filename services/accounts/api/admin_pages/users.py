"""Pages of all users: search them, and create one."""

import uuid
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Query, Request
from pydantic import BaseModel, Field, ValidationError
from starlette.responses import Response

from accounts.api.account_pages.filters import NOTHING, Filters
from accounts.api.account_pages.forms import BLANK
from accounts.api.account_pages.navigation import NavItem
from accounts.api.account_pages.paths import ADMIN
from accounts.api.account_pages.redirects import redirect
from accounts.api.account_pages.render import render_page, request_language
from accounts.api.admin_pages.access import CurrentSuperuser
from accounts.api.admin_pages.queries import list_url
from accounts.api.authentication import CurrentSession
from accounts.api.dependencies import DbDep, UserManagerDep
from accounts.domain import errors
from accounts.domain.sessions.last_sign_ins import list_last_sign_ins
from accounts.schemas.fields import MAX_RAW_LENGTH, DisplayName, Email, Password
from accounts.schemas.identity.users import ManagedUserCreate, UserQuery
from accounts.translations import N_

router = APIRouter(prefix=ADMIN)
NAV = (NavItem("/users", N_("Users"), N_("Find a user, and see all that concerns them.")),)
DONE = {
    "user-created": N_("The user was created."),
    "user-asked": N_("The user was created, and gets an email with a link to choose a password."),
}
SEARCH_BY = {"email": N_("Email begins with"), "name": N_("Name begins with")}
SHOWN: dict[str, tuple[str, dict[str, Any]]] = {
    "all": (N_("All users"), {}),
    "active": (N_("Active users"), {"is_active": True}),
    "inactive": (N_("Inactive users"), {"is_active": False}),
    "superusers": (N_("Superusers"), {"is_superuser": True}),
    "unverified": (N_("Email not confirmed"), {"is_verified": False}),
}


class UserSearch(Filters):
    """What a superuser looks for: the beginning of an email address or a name, or a user's id."""

    q: Annotated[str, Field(max_length=MAX_RAW_LENGTH)] = ""
    by: Literal["email", "name"] = "email"
    show: Literal["all", "active", "inactive", "superusers", "unverified"] = "all"

    def user_id(self) -> uuid.UUID | None:
        """Return the id that is searched for, as it stands in the audit log."""
        try:
            return uuid.UUID(self.q.strip())
        except ValueError:
            return None

    def to_query(self) -> UserQuery | None:
        """Return the query of the API, or None for text that no user can have."""
        values: dict[str, Any] = {"limit": self.limit, "cursor": self.cursor, self.by: self.q.strip() or None}
        try:
            return UserQuery(**values, **SHOWN[self.show][1])
        except ValidationError:
            return None


class NewUserForm(BaseModel):
    """A user to create, who chooses the password if none is given. Checkboxes that are not ticked are not sent."""

    email: Email
    display_name: DisplayName = ""
    password: Annotated[Password | None, BLANK] = None
    is_verified: bool = False
    is_superuser: bool = False


@router.get("/users")
async def users_page(
    request: Request, db: DbDep, users: UserManagerDep, search: Annotated[UserSearch, Query()]
) -> Response:
    """List the users that match a search, and when they signed in last. A user's id leads to the user."""
    if (user_id := search.user_id()) is not None:
        return redirect(f"{ADMIN}/users/{user_id}")
    query = None if search.faults else search.to_query()
    page = await users.list(query) if query else NOTHING
    signed_in = await list_last_sign_ins(db, [user.id for user in page.rows])
    gettext = request_language(request).gettext
    search_by = [(name, gettext(text)) for name, text in SEARCH_BY.items()]
    shown = [(name, gettext(text)) for name, (text, _) in SHOWN.items()]
    url = list_url(f"{ADMIN}/users", search)
    values: dict[str, Any] = {"search": search, "url": url, "search_by": search_by, "shown": shown}
    values |= {"users": page, "signed_in": signed_in}
    return render_page(request, "admin/users", search.status, failure=search.failure(request), **values)


@router.get("/new-user")
async def new_user_page(request: Request) -> Response:
    """Show the form that creates a user."""
    return render_page(request, "admin/new-user")


@router.post("/new-user")
async def create_user(
    form: Annotated[NewUserForm, Form()], _: CurrentSuperuser, current: CurrentSession, users: UserManagerDep
) -> Response:
    """Create a user, and show the user's page."""
    try:
        user = await users.create(ManagedUserCreate(**form.model_dump(exclude_none=True)), current)
    except errors.RegisterUserAlreadyExists:
        raise errors.UpdateUserEmailAlreadyExists from None  # whose message does not ask for a sign-in
    return redirect(f"{ADMIN}/users/{user.id}", done="user-created" if form.password else "user-asked")
