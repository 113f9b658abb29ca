"""The choice of a language, in the footer of each page."""

from typing import Annotated

from fastapi import APIRouter, Form
from pydantic import BaseModel
from starlette.responses import Response

from accounts.api.account_pages.footer import ThisPage
from accounts.api.account_pages.paths import PATH
from accounts.api.account_pages.redirects import redirect_to
from accounts.api.authentication import Viewer
from accounts.api.dependencies import UserManagerDep
from accounts.api.languages import remember_language
from accounts.schemas.fields import LanguageTag
from accounts.schemas.identity.users import UserUpdate

router = APIRouter(prefix=PATH)


class LanguageForm(BaseModel):
    """A language, and the page to return to."""

    language: LanguageTag
    next: ThisPage = PATH


@router.post("/language")
async def choose_language(form: Annotated[LanguageForm, Form()], viewer: Viewer, users: UserManagerDep) -> Response:
    """Keep the language in a cookie and, of a signed-in user, in the account."""
    if viewer:
        await users.update(UserUpdate(language=form.language), viewer)
    response = redirect_to(form.next)
    remember_language(response, form.language)
    return response
