"""Export of personal data (GDPR, articles 15 and 20)."""

from fastapi import APIRouter, Request

from accounts.api.authentication import CurrentUser
from accounts.api.downloads import CONTENT_DISPOSITION, Download, every_page, json_array, json_object
from accounts.api.openapi import AUTHENTICATED, problems
from accounts.api.rate_limits import RATE_LIMITED, limit_by_client
from accounts.domain import personal_data
from accounts.domain.rate_limits.rules import Attempt
from accounts.models import User
from accounts.schemas.pagination import PageQuery
from accounts.schemas.personal_data import PersonalData

router = APIRouter(tags=["users"])


@router.get(
    "/users/me/export",
    summary="Export my data",
    response_model=PersonalData,
    dependencies=[limit_by_client(Attempt.EXPORT)],
    responses=CONTENT_DISPOSITION | problems(*AUTHENTICATED, *RATE_LIMITED),
)
async def export_me(request: Request, user: CurrentUser) -> Download:
    """Download everything that is stored about you as one JSON document.

    `not_shown` lists the columns that are left out. Data about other people is limited to invitations that you sent or
    received. The connection is closed early if the document cannot be completed.
    """
    return personal_data_file(request, user)


def personal_data_file(request: Request, user: User) -> Download:
    """Return the document as a file. The account pages have it, too."""
    parts = {
        name: json_array(every_page(request.state.sessionmaker, read, PageQuery()))
        for name, read in personal_data.parts(user).items()
    }
    return Download(json_object(personal_data.head(user), parts), "application/json", "personal-data.json")
