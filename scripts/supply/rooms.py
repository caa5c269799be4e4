#!/usr/bin/env python3
"""Draws the rooms of the crates, as the sources list them: docs/rooms.svg.

    scripts/supply/rooms.py           writes the picture
    scripts/supply/rooms.py --check   fails if the picture is not that of the sources

A room uses only those that stand below it: crates/core/tests/suite/rooms.rs holds that.
"""

import html
import pathlib
import re
import sys
import textwrap

ROOT = pathlib.Path(__file__).resolve().parents[2]
PICTURE = ROOT / "docs" / "rooms.svg"
CRATES = [
    ("the nginx module", "src"),
    ("ojwt-http", "crates/http/src"),
    ("ojwt-core", "crates/core/src"),
]
WIDTH, LINE, CHARACTERS = 900, 17, 105
MODULE = re.compile(r"^(?:pub(?:\([a-z]+\))? )?mod (\w+);", re.M)


def modules(path):
    return MODULE.findall(path.read_text())


def purpose(path):
    """The first sentence of a file's documentation."""
    lines = []
    for line in path.read_text().splitlines():
        if not line.startswith("//!") or (lines and not line[3:].strip()):
            break
        lines.append(line[3:].strip())
    sentence = re.split(r"(?<=[.]) ", " ".join(lines))[0]
    return sentence.rstrip(".:").replace("`", "")


def rooms(folder):
    for name in modules(folder / "lib.rs"):
        face = folder / name / "mod.rs"
        if face.exists():
            yield name, purpose(face), modules(face)
        else:
            yield name, purpose(folder / f"{name}.rs"), []


def text(x, y, words, kind):
    return f'<text x="{x}" y="{y}" class="{kind}">{html.escape(words)}</text>'


def draw():
    parts, y = [], 34
    for title, folder in CRATES:
        parts.append(text(24, y, f"{title}, {folder}", "crate"))
        y += 14
        for name, about, files in rooms(ROOT / folder):
            lines = [("about", line) for line in textwrap.wrap(about, CHARACTERS)]
            lines += [("files", line) for line in textwrap.wrap(", ".join(files), CHARACTERS)]
            height = 13 + LINE * len(lines)
            parts.append(f'<rect x="24" y="{y}" width="{WIDTH - 48}" height="{height}" rx="6"/>')
            parts.append(text(38, y + 20, name, "room"))
            for number, (kind, line) in enumerate(lines):
                parts.append(text(140, y + 20 + LINE * number, line, kind))
            y += height + 6
        y += 30
    style = """
    .back { fill: #ffffff; } rect { fill: #eef3f8; stroke: #8aa4bd; } text { font-family: sans-serif; }
    .crate { font-size: 15px; font-weight: bold; fill: #1d2b3a; }
    .room { font-size: 14px; font-weight: bold; fill: #0b4f8a; }
    .about { font-size: 13px; fill: #1d2b3a; } .files { font-size: 12px; fill: #51626f; }
    """
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" role="img" '
        f'aria-label="The rooms of each crate; a room uses only those below it">'
        f'<style>{style}</style><rect class="back" x="0" y="0" width="{WIDTH}" height="{y}"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def main():
    picture = draw()
    if "--check" in sys.argv:
        if PICTURE.read_text() != picture:
            return f"{PICTURE.relative_to(ROOT)} is not that of the sources: run scripts/supply/rooms.py"
    else:
        PICTURE.write_text(picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
