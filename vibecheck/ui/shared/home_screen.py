"""What lets a phone keep VibeCheck on its home screen: icons, and a web app manifest."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

BACKGROUND = "#0E1016"
ICON = Path(__file__).with_name("icon.svg")
SIZES = (180, 192, 512)  # px; 180 is Apple's
MANIFEST = "manifest.webmanifest"
DAY = {"Cache-Control": "public, max-age=86400"}


def head(start: str) -> str:
    """The tags for the head of a page; `start` is the path of the app, empty at the root."""
    return (
        f'<link rel="manifest" href="{start}/{MANIFEST}"><meta name="theme-color" content="{BACKGROUND}">'
        f'<link rel="apple-touch-icon" href="{start}/icon-180.png">'
        f'<link rel="icon" type="image/svg+xml" href="{start}/icon.svg">'
    )


def manifest(start: str) -> dict[str, object]:
    """The web app manifest (W3C)."""
    return {
        "name": "VibeCheck",
        "short_name": "VibeCheck",
        "description": "Your webcam's mood, as a playlist.",
        "start_url": f"{start}/",
        "scope": f"{start}/",
        "display": "standalone",
        "background_color": BACKGROUND,
        "theme_color": BACKGROUND,
        "icons": [
            {
                "src": f"{start}/icon-{size}.png",
                "sizes": f"{size}x{size}",
                "type": "image/png",
                "purpose": "any maskable",
            }
            for size in SIZES
        ],
    }


def routes(start: str) -> list[Route]:
    """The manifest and the icons."""

    async def show_manifest(request: Request) -> JSONResponse:
        return JSONResponse(manifest(start), headers=DAY, media_type="application/manifest+json")

    return [
        Route(f"{start}/{MANIFEST}", show_manifest),
        _file(start, ICON, "image/svg+xml"),
        *(_file(start, ICON.with_name(f"icon-{size}.png"), "image/png") for size in SIZES),
    ]


def _file(start: str, path: Path, media_type: str) -> Route:
    content = path.read_bytes()

    async def show(request: Request) -> Response:
        return Response(content, headers=DAY, media_type=media_type)

    return Route(f"{start}/{path.name}", show)
