"""One's data: everything that is held about whoever asks, to take away."""

from fastapi import APIRouter, Request

from accounts.api.authentication import CurrentUser
from accounts.api.downloads import CONTENT_DISPOSITION, Download, every_page, json_array, json_object
from accounts.api.openapi import AUTHENTICATED, problems
from accounts.domain import personal_data
from accounts.schemas.pagination import PageQuery
from accounts.schemas.personal_data import PersonalData

router = APIRouter(tags=["users"])


@router.get(
    "/users/me/export",
    summary="Take one's data",
    response_model=PersonalData,
    responses=CONTENT_DISPOSITION | problems(*AUTHENTICATED),
)
async def export_me(request: Request, user: CurrentUser) -> Download:
    """Everything that is held about one, as one document to save; `not_shown` names what is held and kept back.

    Of other people there is what one wrote or was written; not who did something to one, nor from where. The connection
    breaks off if the document cannot be completed.
    """
    parts = {
        name: json_array(every_page(request.state.sessionmaker, read, PageQuery()))
        for name, read in personal_data.parts(user).items()
    }
    return Download(json_object(personal_data.head(user), parts), "application/json", "personal-data.json")
