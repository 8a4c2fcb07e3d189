"""A visitor, as the records know one: never by name, only by a hash."""

import hashlib


def hash_of(identity: str) -> str:
    """64 hexadecimal digits that stand for a browser's id, or for whatever a file calls a person."""
    return hashlib.sha256(identity.encode()).hexdigest()
