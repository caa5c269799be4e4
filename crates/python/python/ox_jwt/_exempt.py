"""Paths that need no token."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from urllib.parse import unquote

from ox_jwt._lists import texts

#: What makes a decoded path another one for some who read it: control characters, backslashes, what was not
#: UTF-8, and what was percent-encoded twice.
_AMBIGUOUS = re.compile(
    r"[\x00-\x1f\x7f-\x9f\\\ud800-\udfff\ufffd]|%[0-9A-Fa-f]{2}|%[uU][0-9A-Fa-f]{4}"
)


class Exempt:
    """Compares decoded paths with entries, each of which is a path or, with ``/*`` at its end, a folder.

    A path that can be read in two ways, such as one with ``..`` or ``//``, is never exempt: the application
    may take another reading than the one that was compared.
    """

    def __init__(self, entries: str | Iterable[str]) -> None:
        paths = [_entry(entry) for entry in texts(entries, "exempt")]
        self._paths = frozenset(path for path in paths if not path.endswith("/*"))
        self._folders = tuple(path[:-1] for path in paths if path.endswith("/*"))

    def covers(self, path: str) -> bool:
        """Whether a path, percent-decoded once, needs no token."""
        return (path in self._paths or path.startswith(self._folders)) and _is_plain(path)


def _entry(entry: str) -> str:
    """An entry, percent-decoded.

    Raises ``ValueError`` for one that no path could meet, or that every path would.
    """
    path = unquote(entry, errors="strict")
    base = path[:-1] if path.endswith("/*") else path
    if "*" in base or path == "/*" or not _is_plain(base):
        raise ValueError(f"exempt is /a/path or /a/folder/*, not {entry!r}")
    return path


def _is_plain(path: str) -> bool:
    """Whether a path has one reading alone, even for those who decode it or tidy it up once more."""
    if not path.isascii():
        path = _without_lookalikes(path)
    if not path.startswith("/") or _AMBIGUOUS.search(path):
        return False
    *folders, last = path[1:].split("/")
    return all(map(_is_name, folders)) and (not last or _is_name(last))


def _without_lookalikes(path: str) -> str:
    """A path as those read it who normalise it (NFKC), or drop what cannot be seen: a full-width full stop is
    one of ASCII."""
    seen = "".join(c for c in path if unicodedata.category(c) != "Cf")
    return unicodedata.normalize("NFKC", seen)


def _is_name(segment: str) -> bool:
    """Whether it is the name of something, rather than ``..`` or its like (``..;a``, ``..?``, ``.. ``)."""
    name = re.split("[;?#]", segment, maxsplit=1)[0]
    return any(character not in ".+" and not character.isspace() for character in name)
