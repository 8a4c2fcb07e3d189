"""Reads the newest frame of each visitor's stream, in one thread for all of them."""

import logging
import threading

from vibecheck.errors import PictureError
from vibecheck.video.stream import Frame, Stream
from vibecheck.vision.reader import Reader

log = logging.getLogger(__name__)


class Analyser:
    """`reader` may be replaced while it runs: the next frame is read by the new one."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self._streams: set[Stream] = set()
        self._changed = threading.Condition()
        self._work = False
        self._stopped = False
        self._thread = self._started()

    def join(self, stream: Stream) -> None:
        """Read this stream too."""
        with self._changed:
            self._streams.add(stream)

    def leave(self, stream: Stream) -> None:
        """Stop reading this stream, if it is read."""
        with self._changed:
            self._streams.discard(stream)

    def wake(self) -> None:
        """Wake the thread: a stream has a new frame."""
        with self._changed:
            self._work = True
            self._changed.notify()
            if not (self._thread.is_alive() or self._stopped):
                self._revive()

    def stop(self) -> None:
        """End the thread."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join()

    def _started(self) -> threading.Thread:
        thread = threading.Thread(target=self._run, name="analyser", daemon=True)
        thread.start()
        return thread

    def _revive(self) -> None:
        """Restart the thread after a crash, and tell each visitor."""
        log.error("The analyser had stopped and was started again")
        for stream in self._streams:
            stream.report("Moods were not read for a moment. No need to do anything.")
        self._thread = self._started()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._work or self._stopped)
                if self._stopped:
                    return
                self._work = False
                streams = tuple(self._streams)
            # One frame of each per round: a visitor waits for at most one reading of each of the others.
            for stream in streams:
                if frame := stream.next_frame():
                    self._read(stream, frame)

    def _read(self, stream: Stream, frame: Frame) -> None:
        """Read one frame. If that fails, tell its visitor; the other streams are not affected."""
        try:
            picture = frame.picture()
            reading = self.reader.read_frame(picture, frame.at, stream.expected(frame.at))
            stream.add(reading, picture.shape[:2])
        except PictureError as error:
            stream.report(str(error))
        except Exception as error:
            log.exception("A frame could not be read")
            kind = type(error).__name__
            stream.report(f"The mood could not be read ({kind}). Reload the page to try again.")
