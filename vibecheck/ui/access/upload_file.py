"""Uploads are kept in memory while they arrive, without a second copy."""

from io import BytesIO

from starlette import formparsers


class UploadFile(BytesIO):
    """Keeps an upload in memory: Starlette's form parser would write a large one to disk.

    Reading all of it makes no copy, so an upload of 30 MB never needs 60 MB.
    """

    _rolled = False  # Starlette's question whether the file is on the disk, where reading blocks

    def __init__(self, max_size: int = 0) -> None:
        super().__init__()

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() or (size is not None and size >= 0):
            return super().read(size)
        self.seek(0, 2)
        return self.getvalue()


def keep_in_memory() -> None:
    """Have Starlette's form parser collect uploads in files of this kind; it has no setting for it."""
    formparsers.SpooledTemporaryFile = UploadFile  # type: ignore[assignment, misc]
