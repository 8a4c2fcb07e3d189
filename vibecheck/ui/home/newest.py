"""Video on its way through the app is never queued: who has no time for a frame gets a newer one."""

from functools import partial

from aiortc.contrib.media import MediaRelay


def hand_on_the_newest(relay: MediaRelay) -> None:
    """Let a relay of tracks hand on newest frames only, to whoever subscribes from now on.

    By itself it keeps every frame for each subscriber until they ask for it. Where the machine is too busy
    to encode as fast as the camera sends, that is 7 MB a second, and video that is seconds old.
    """
    relay.subscribe = partial(relay.subscribe, buffered=False)
