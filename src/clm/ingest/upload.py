"""A request's body into the spool: as it comes, or the one file of a multipart form."""

import asyncio
from collections.abc import AsyncIterator
from typing import BinaryIO, cast

import python_multipart
from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import File
from starlette.concurrency import run_in_threadpool

from clm.errors import InvalidInput, TooLarge
from clm.ingest.spool import Spooled, Spooling, spool
from clm.settings import Settings

SILENCE_SECONDS = 30.0  # a client that sends nothing for so long is given up
_PIECE = 1 << 20  # bytes gathered before they are written


async def receive(request: Request, settings: Settings) -> Spooled:
    """The body, synced to disk. Raises TooLarge over the cap, InvalidInput for a silent client."""
    _check_announced(request, settings)
    target = Spooling(settings)
    try:
        async for piece in _pieces(request):
            await run_in_threadpool(target.write, piece)
        return await run_in_threadpool(target.finish)
    except BaseException:
        target.drop()
        raise


def file_of_form(body: Spooled, content_type: str, settings: Settings) -> tuple[Spooled, str | None, str | None]:
    """The one file of a spooled multipart form, with its name and content type; the form itself is dropped.

    Raises InvalidInput for a broken form and for none or several files.
    """
    files: list[tuple[Spooled, str | None, str | None]] = []

    def on_file(part: File) -> None:
        name = (part.file_name or b"").decode("utf-8", "replace") or None
        kind = getattr(part, "content_type", None)
        part.file_object.seek(0)
        files.append((spool(settings, cast(BinaryIO, part.file_object)), name, kind))

    config = {"UPLOAD_DIR": str(settings.paths.spool), "MAX_FIELDS": 20, "MAX_FIELD_SIZE": 1 << 16}
    try:
        with body.path.open("rb") as stream:
            headers = {"Content-Type": content_type.encode("latin-1", "replace")}
            parser = python_multipart.create_form_parser(headers, lambda _: None, on_file, config=config)
            while piece := stream.read(_PIECE):
                parser.write(piece)
            parser.finalize()
            parser.close()
    except FormParserError as error:
        _drop(files)
        raise InvalidInput(f"The multipart form can't be read: {error}.", field="file") from None
    except BaseException:
        _drop(files)
        raise
    finally:
        body.drop()
    if len(files) != 1:
        _drop(files)
        raise InvalidInput(f"Send one file in the form; there are {len(files)}.", field="file")
    return files[0]


def _drop(files: list[tuple[Spooled, str | None, str | None]]) -> None:
    for spooled, _, _ in files:
        spooled.drop()


def _check_announced(request: Request, settings: Settings) -> None:
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > settings.max_upload_bytes:
        raise TooLarge(f"The upload is larger than {settings.max_upload_bytes} bytes; nothing was kept.")


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    waiting = bytearray()
    stream = request.stream()
    while True:
        try:
            waiting += await asyncio.wait_for(anext(stream), SILENCE_SECONDS)
        except StopAsyncIteration:
            break
        except TimeoutError:
            raise InvalidInput(f"The upload stopped for {SILENCE_SECONDS:.0f} seconds; nothing was kept.") from None
        if len(waiting) >= _PIECE:
            yield bytes(waiting)
            waiting.clear()
    if waiting:
        yield bytes(waiting)
