"""The examples of the documentation do what it says."""

from __future__ import annotations

import doctest
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
READMES = [ROOT / "README.md", ROOT / "crates" / "python" / "README.md"]
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), *READMES]
SESSIONS = [page for page in PAGES if "\n```pycon\n" in page.read_text()]


@pytest.mark.parametrize("page", SESSIONS, ids=lambda page: page.name)
def test_examples_run_as_they_are_shown(page: pathlib.Path) -> None:
    blocks = re.findall(r"^```pycon\n(.*?)^```$", page.read_text(), re.S | re.M)
    assert blocks
    example = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, page.name, None, 0)
    results = doctest.DocTestRunner().run(example)
    assert results.failed == 0
    assert results.attempted > 1


def test_programs_of_the_documentation_compile() -> None:
    count = 0
    for page in PAGES:
        for program in re.findall(r"^```python\n(.*?)^```$", page.read_text(), re.S | re.M):
            compile(program, page.name, "exec")
            count += 1
    assert count >= 3


def test_diagrams_and_pages_that_are_linked_are_there() -> None:
    for page in PAGES:
        for link in re.findall(r"\]\((?!http)([^)#]+)", page.read_text()):
            assert (page.parent / link).exists(), link
