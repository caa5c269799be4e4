"""What is written into docs/reliability.md."""

import re

from tokens import ROOT

DOCS = ROOT / "docs"


def put_between(begin, end, lines):
    """Puts lines between two markers, instead of what is there."""
    path = DOCS / "reliability.md"
    measured = re.compile(f"{re.escape(begin)}.*{re.escape(end)}", re.S)
    text, count = measured.subn(lambda _: begin + "\n".join(lines) + "\n" + end, path.read_text())
    if count != 1:
        raise SystemExit(f"ojwt: {path} has not the markers {begin.strip()} and {end.strip()} once")
    path.write_text(text)
