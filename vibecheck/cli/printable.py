"""Text from outside, such as the name of a file, made fit to print."""


def printable(text: str) -> str:
    """Without control characters, which could control the terminal, and without bytes that are not text."""
    joiners = "\u200c\u200d"  # part of words in Persian, and of emoji
    return "".join(each if each.isprintable() or each in joiners else "�" for each in text)


def without_path(sentence: str, path: str) -> str:
    """A sentence about a file, for a table that names the file already."""
    return printable("It" + sentence.removeprefix(path) if sentence.startswith(path) else sentence)
