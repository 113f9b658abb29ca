"""Pages to create an account."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from accounts.api.account_pages.paths import PATH
from accounts.api.account_pages.redirects import redirect_to_result
from accounts.api.account_pages.render import render_page
from accounts.api.dependencies import RegistrationDep
from accounts.api.rate_limits import limit_by_client, limit_by_email
from accounts.domain.rate_limits.rules import Attempt
from accounts.schemas.identity.auth import RegistrationCompletion
from accounts.schemas.identity.users import RegistrationCreate
from accounts.settings import SignUp

router = APIRouter(prefix=PATH)
RegistrationForm = Annotated[RegistrationCreate, Form()]


@router.get("/register")
async def register_page(request: Request) -> Response:
    """Show the registration form."""
    return render_page(request, "register")


@router.post("/register", dependencies=[limit_by_email(Attempt.REGISTER, form=True)])
async def register(request: Request, body: RegistrationForm, registration: RegistrationDep) -> Response:
    """Create an account, or send a link that does. The response is the same if the email address is taken."""
    await registration.register(body)
    if body.invitation:
        return redirect_to_result("joined")
    by_mail = request.state.settings.sign_up is SignUp.VERIFIED
    return redirect_to_result("sign-up-sent" if by_mail else "registered")


@router.get("/complete-registration")
async def complete_registration_page(request: Request, registration: RegistrationDep, token: str = "") -> Response:
    """Show the form that chooses a password, with the new user's email address for password managers."""
    username = (await registration.find_pending(token)).email if token else ""
    return render_page(request, "complete-registration", username=username)


@router.post("/complete-registration", dependencies=[limit_by_client(Attempt.VERIFY)])
async def complete_registration(
    form: Annotated[RegistrationCompletion, Form()], registration: RegistrationDep
) -> Response:
    """Create the account of a mailed token."""
    await registration.complete(form)
    return redirect_to_result("verified")
