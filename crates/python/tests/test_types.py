"""The types of the package, its tests and its stubs."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest

pytest.importorskip("mypy")

PACKAGE = pathlib.Path(__file__).resolve().parents[1]


def run(*arguments: str) -> str:
    command = [sys.executable, "-m", *arguments]
    done = subprocess.run(command, cwd=PACKAGE, capture_output=True, text=True, timeout=300)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_package_and_tests_are_typed_strictly() -> None:
    assert run("mypy", "--strict", "python/ox_jwt", "tests") == ""


def test_stubs_and_module_agree() -> None:
    assert run("mypy.stubtest", "ox_jwt._core") == ""
