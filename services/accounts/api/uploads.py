"""Files that forms upload (multipart/form-data, RFC 7578). They are kept in memory, where the body is already."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from http import HTTPStatus

from fastapi import HTTPException, Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from accounts.api.middleware.form_encoding import FORMS
from accounts.api.request_body import media_type, read_file, unsupported_media_type

MULTIPART = FORMS[1]
SLICE_BYTES = 32 * 1024  # parsed in about 2 ms


class _MemoryParser(MultiPartParser):
    spool_max_size = 0  # no limit, as the size of the body is limited: no temporary files, and no threads to write them


@dataclass(frozen=True, slots=True)
class Upload:
    """The file of a form, which is empty if none was chosen, and the other fields."""

    content: bytes
    fields: dict[str, str]


async def read_upload(request: Request, name: str) -> Upload:
    """Read a form with one file, in the field ``name``. Other requests are served meanwhile.

    The request does not remember the form, so a route reads it after all checks that do not need it.

    Raises:
        HTTPException: 415, the body is no form with files; 400, it is malformed or the client disconnected.

    """
    if media_type(request) != MULTIPART:
        raise unsupported_media_type(MULTIPART)
    content = await read_file(request)
    try:
        form = await _MemoryParser(request.headers, _slices(content), max_files=1, max_fields=10).parse()
    except MultiPartException as error:
        raise HTTPException(HTTPStatus.BAD_REQUEST, error.message) from None
    try:
        file = form.get(name)
        fields = {key: value for key, value in form.items() if isinstance(value, str)}
        return Upload(await file.read() if isinstance(file, UploadFile) else b"", fields)
    finally:
        await form.close()


async def _slices(content: bytes) -> AsyncGenerator[bytes]:
    for start in range(0, len(content), SLICE_BYTES):
        yield content[start : start + SLICE_BYTES]
        await asyncio.sleep(0)
