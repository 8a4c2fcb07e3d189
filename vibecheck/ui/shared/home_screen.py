"""Icons and a web app manifest (W3C), with which phones can add VibeCheck to their home screen."""

from functools import partial
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.routing import Route

ICON = Path(__file__).with_name("icon.svg")
FILES = {
    "manifest.webmanifest": "application/manifest+json",
    "icon.svg": "image/svg+xml",
    "icon-180.png": "image/png",  # Apple's size
    "icon-192.png": "image/png",
    "icon-512.png": "image/png",
}


def head(start: str) -> str:
    """The tags for the head of a page; `start` is the path of the app, empty at the root."""
    return (
        f'<link rel="manifest" href="{start}/manifest.webmanifest">'
        '<meta name="theme-color" content="#0E1016">'
        f'<link rel="apple-touch-icon" href="{start}/icon-180.png">'
        f'<link rel="icon" type="image/svg+xml" href="{start}/icon.svg">'
    )


def routes(start: str) -> list[Route]:
    """The manifest and the icons."""
    return [Route(f"{start}/{name}", partial(_show, name)) for name in FILES]


async def _show(name: str, request: Request) -> FileResponse:
    headers = {"Cache-Control": "public, max-age=86400"}
    return FileResponse(ICON.with_name(name), headers=headers, media_type=FILES[name])
