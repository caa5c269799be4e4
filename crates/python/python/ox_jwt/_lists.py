"""Lists of text, as callers give them."""

from __future__ import annotations

from collections.abc import Iterable


def texts(value: str | Iterable[str], what: str) -> list[str]:
    """The texts of an iterable; of a text it is the only one, for its characters are none.

    Raises ``TypeError`` for anything else.
    """
    if isinstance(value, str):
        return [value]
    message = f"{what} is text, or a list of it"
    try:
        entries = list(value)
    except TypeError:
        raise TypeError(message) from None
    # Empty bytes would be an empty list.
    if isinstance(value, (bytes, bytearray, memoryview)) or not all(isinstance(entry, str) for entry in entries):
        raise TypeError(message)
    return entries
