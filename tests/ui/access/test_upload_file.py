import tracemalloc

from vibecheck.ui.access.upload_file import UploadFile

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
