import asyncio
import tracemalloc

from starlette import datastructures, formparsers
from starlette.requests import Request

from vibecheck.ui.access.upload_file import UploadFile, keep_in_memory

MB = 1_000_000


def test_an_upload_is_read_whole_without_a_copy():
    tracemalloc.start()
    try:
        file = UploadFile(max_size=1)
        for _ in range(20):
            file.write(bytes(MB))
        file.seek(0)
        tracemalloc.reset_peak()
        data = file.read()
        assert tracemalloc.get_traced_memory()[1] < 25 * MB
    finally:
        tracemalloc.stop()
    assert len(data) == 20 * MB and file.read() == b""
    file.close()
    assert len(data) == 20 * MB


def test_upload_supports_partial_reads_like_any_file():
    file = UploadFile()
    file.write(b"abcdef")
    file.seek(0)
    assert (file.read(2), file.read(), file.read(3)) == (b"ab", b"cdef", b"")
    file.seek(0)
    assert file.read(None) == b"abcdef"


def test_starlette_collects_an_upload_in_memory_and_reads_it_there(monkeypatch):
    # Put back after the test.
    monkeypatch.setattr(formparsers, "SpooledTemporaryFile", formparsers.SpooledTemporaryFile)
    monkeypatch.setattr(datastructures, "run_in_threadpool", None)  # for files on the disk
    keep_in_memory()
    large = bytes(2 * formparsers.MultiPartParser.spool_max_size)
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'

    async def receive() -> dict:
        return {"type": "http.request", "body": head + large + b"\r\n--x--\r\n"}

    async def upload() -> tuple[object, bytes]:
        headers = [(b"content-type", b"multipart/form-data; boundary=x")]
        form = await Request({"type": "http", "method": "PUT", "headers": headers}, receive).form()
        return form["file"].file, await form["file"].read()

    file, data = asyncio.run(upload())
    assert isinstance(file, UploadFile) and data == large
