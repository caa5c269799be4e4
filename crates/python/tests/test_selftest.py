"""``test_ox_jwt``, run as a process, and that it can fail."""

from __future__ import annotations

import pathlib
import subprocess
import sys
import sysconfig

import pytest

from ox_jwt import selftest

COMMAND = pathlib.Path(sysconfig.get_path("scripts")) / "test_ox_jwt"


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_the_command_shows_every_check_and_succeeds() -> None:
    done = run(str(COMMAND))
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith("ok ")] == lines[:-1]
    assert len(lines) == len(selftest.CHECKS) + 1
    assert lines[-1] == f"test_ox_jwt: {len(lines) - 1} of {len(lines) - 1} checks passed"


WITHOUT_GUARD = """
import flask, ox_jwt.flask
def unguarded(view):
    def called(*args):
        flask.g.decoded_jwt = {"sub": "ada"}
        return view(*args)
    called.__name__ = view.__name__
    return called
ox_jwt.flask.requires_jwt = unguarded
from ox_jwt.selftest import main
raise SystemExit(main())
"""


def test_the_command_fails_where_views_are_not_guarded() -> None:
    done = run(sys.executable, "-c", WITHOUT_GUARD)
    assert done.returncode == 1
    assert "FAILED  no token is refused: 200 Hello, ada." in done.stdout
    assert "        wanted: 401 failed: no token" in done.stdout


def test_one_wrong_answer_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checks: dict[str, selftest.Check] = {
        "good": lambda demo: ((200, "a"), (200, "a")),
        "wrong": lambda demo: ((200, "a"), (401, "a")),
    }
    monkeypatch.setattr(selftest, "CHECKS", checks)
    assert selftest.main() == 1
    assert "test_ox_jwt: 1 of 2 checks passed" in capsys.readouterr().out


def test_the_checks_ask_the_demonstration() -> None:
    demo = selftest.Demonstration()
    try:
        for check in selftest.CHECKS.values():
            answer, wanted = check(demo)
            assert answer == wanted
    finally:
        demo.stop()
