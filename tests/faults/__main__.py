"""Puts faults to a real nginx under load, and counts what came of each request.

    python3 tests/faults MODULE [--quick] [--only WORD] [--update]

Good tokens of several algorithms, remembered and fresh, and bad ones of every kind are sent to gates of
each kind while something fails. What may fail is said for each fault; anything else that is refused, and
anything at all that is let in, fails the run. `--quick` takes less of each fault, and leaves out a few;
`--only` runs those that have the word in their name; `--update` writes the table to docs/reliability.md.

NGINX names another nginx than the one on the path, OTOOLS and OJWT_MINT the programs that make tokens.
"""

import argparse
import asyncio
import pathlib
import subprocess
import sys
import tempfile
import time

import faults
from document import put_between
from run import FAULTS, Fault, Skipped, put
from server import NGINX, adopt_orphans, raise_descriptors
from tokens import Tokens

BEGIN = "<!-- measured: written by scripts/measure/faults --update -->\n"
END = "<!-- end of what is measured -->\n"


def number(value):
    return f"{value:,}"


def why(counter, name):
    """A count, and what it is made of."""
    total = sum(counter.values())
    parts = ", ".join(f"{name(key)}: {number(count)}" for key, count in sorted(counter.items(), key=str))
    return f"{number(total)} ({parts})" if total else "0"


def by_status(refused):
    """Refusals, by their status and where."""
    gates = {}
    for (gate, status), count in refused.items():
        gates.setdefault(status, {})[gate] = count
    parts = [f"{status} at {', '.join(f'/{gate}' for gate in sorted(found))}" for status, found in gates.items()]
    return f"{number(sum(refused.values()))} ({'; '.join(parts)})" if refused else "0"


def row(run):
    tally = run.tally
    log = [f"{run.killed} killed" if run.killed else "", f"{run.crashed} aborted" if run.crashed else ""]
    log.append(f"{run.emergencies} emerg" if run.emergencies else "")
    missed = why(tally.unanswered, str)
    cells = [
        run.title, run.expectation, number(tally.sent), number(tally.accepted), by_status(tally.refused), missed,
        number(tally.repeated), number(tally.bad_refused), str(len(tally.let_in)),
        f"{run.recovery():.1f} s" if run.ended else "", ", ".join(filter(None, log)) or "-",
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


HEAD = (
    "| fault | what may be counted on | requests | good: let in | refused | no answer | repeated | bad: refused"
    " | let in | whole after | log |\n"
    "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |"
)


def totals(runs):
    def total(what):
        return number(sum(what(run.tally) for run in runs))

    return (
        f"In all {total(lambda tally: tally.sent)} requests: {total(lambda tally: tally.accepted)} good ones let in, "
        f"{total(lambda tally: sum(tally.refused.values()))} refused where the table says so, "
        f"{total(lambda tally: len(tally.needless))} refused or lost where it does not; "
        f"{total(lambda tally: tally.bad_refused)} bad ones refused, "
        f"{total(lambda tally: len(tally.let_in))} let in."
    )


def version():
    return subprocess.run([NGINX, "-v"], capture_output=True, text=True).stderr.strip().split("/")[-1]


def update(runs, skipped, seconds):
    lines = [f"nginx {version()}, {len(runs)} faults in {seconds:.0f} s. {totals(runs)}", "", HEAD, *map(row, runs)]
    lines += [f"\nNot measured: {title}: {reason}" for title, reason in skipped]
    put_between(BEGIN, END, lines)


def tell(run):
    tally = run.tally
    said = [
        f"{number(tally.sent)} requests",
        f"{number(tally.accepted)} let in",
        f"{by_status(tally.refused)} refused",
        f"{why(tally.unanswered, str)} without an answer",
        f"{number(tally.repeated)} repeated; bad: {number(tally.bad_refused)} refused",
        f"{len(tally.let_in)} let in; {run.seconds:.1f} s",
    ]
    notes = "".join(f"; {note}" for note in run.notes)
    print(f"{'FAIL' if run.failures else 'ok  '} {run.title}: {', '.join(said)}{notes}", flush=True)
    for failure in run.failures:
        print(f"     {failure}", flush=True)


async def main(options):
    adopt_orphans()
    raise_descriptors(4096)
    began = time.monotonic()
    module = str(pathlib.Path(options.module).resolve())
    runs, skipped = [], []
    with tempfile.TemporaryDirectory(prefix="ojwt-faults-tokens-") as folder:
        tokens = Tokens(folder)
        control = await put(Fault("the control", "", True, faults.open_gate), module, tokens, True)
        if not control.failures or not control.tally.let_in:
            raise SystemExit("ojwt: gates that let everybody in are not noticed")
        for fault in FAULTS:
            if (options.only and options.only not in fault.title) or (options.quick and not fault.is_quick):
                continue
            try:
                run = await put(fault, module, tokens, options.quick)
            except Skipped as reason:
                print(f"ojwt: *** SKIPPED *** {fault.title}: {reason}", flush=True)
                skipped.append((fault.title, reason))
                continue
            runs.append(run)
            tell(run)
    seconds = time.monotonic() - began
    failed = [run.title for run in runs if run.failures]
    print(f"ojwt: {len(runs)} faults in {seconds:.0f} s. {totals(runs)}")
    if not runs:
        raise SystemExit("ojwt: no fault was put")
    if failed:
        raise SystemExit(f"ojwt: {len(failed)} failed: {'; '.join(failed)}")
    if options.update:
        update(runs, skipped, seconds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("module")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", metavar="WORD", default="")
    parser.add_argument("--update", action="store_true")
    chosen = parser.parse_args()
    if chosen.update and (chosen.quick or chosen.only):
        parser.error("--update writes the whole table")
    sys.exit(asyncio.run(main(chosen)))
