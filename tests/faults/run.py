"""What a fault is made of, and what is found out about it."""

import asyncio
import collections
import contextlib
import pathlib
import re
import tempfile
import time

from endpoint import Application, Endpoint
from load import GATES, Client, Load, NoAnswer, Tally
from server import PAGE, Nginx

FAULTS = []


# What bad tokens write, that name no key file.
NOISE = re.compile(r"\[notice\]|keys/(nobody..s)?\.jwks|: key unavailable(: key request [^,]*)?, client")

# `is_quick` is whether the quick run has it, too.
Fault = collections.namedtuple("Fault", "title expectation is_quick function")


def fault(title, expectation, is_quick=True):
    """Names a fault; `expectation` says what an operator may count on, and the function holds it to that."""

    def note(function):
        FAULTS.append(Fault(title, expectation, is_quick, function))
        return function

    return note


class Skipped(Exception):
    """Why a fault cannot be had on this machine."""


class Run:
    """A fault being put to an nginx of its own."""

    def __init__(self, fault, module, tokens, is_quick):
        self.title, self.expectation = fault.title, fault.expectation
        self.module, self.tokens, self.is_quick = module, tokens, is_quick
        self.tally, self.failures, self.notes = Tally(), [], []
        self.folder = self.nginx = self.ended = None
        # How many workers the fault kills, by which signals they may end otherwise, and with which alert.
        self.kills, self.allowed_signals, self.allowed_alert = 0, set(), None
        self.stack = contextlib.AsyncExitStack()
        self.seconds = 0

    def pick(self, full, quick):
        return quick if self.is_quick else full

    def make_folder(self):
        if self.folder is None:
            folder = tempfile.TemporaryDirectory(prefix="ojwt-faults-")
            self.folder = pathlib.Path(self.stack.enter_context(folder))
        return self.folder

    async def start(self, **words):
        self.make_folder()
        self.endpoint = Endpoint(self.tokens.key_set())
        self.stack.push_async_callback(self.endpoint.close)
        application = await Application(PAGE).start()
        self.stack.callback(application.close)
        self.nginx = Nginx(self.folder, self.module, self.tokens, self.endpoint, application, **words)
        self.stack.push_async_callback(self.nginx.stop)
        await self.nginx.start()
        return self.nginx

    def load(self, gates=GATES, **words):
        return Load(self.nginx, self.tokens, self.tally, gates, **words)

    async def warm(self, gates=GATES):
        """Each worker has seen a request at each gate, so that it keeps the keys that it fetches."""
        for _ in range(6):
            for gate in gates:
                await self.answer(gate, self.good(gate))

    def good(self, gate):
        cases = getattr(self.tokens, gate) if gate in ("nested", "encrypted") else self.tokens.good
        return next(case for case in cases if case.valid)

    async def answer(self, gate, case, **words):
        """The status that one request on a connection of its own gets, which counts as the others do."""
        client = Client(self.nginx.socket)
        self.tally.sent += 1
        try:
            status, body = await client.ask(f"/{gate}", case.token, **words)
        except NoAnswer as error:
            self.tally.miss(gate, case, str(error), case.valid)
            return None
        finally:
            client.close()
        self.tally.note(gate, case, status, body, case.valid)
        return status

    def over(self):
        """The fault ends now: from here on it counts how long it takes until all is well."""
        self.ended = time.monotonic()

    def expect(self, condition, what):
        if not condition:
            self.failures.append(what)

    def recovery(self):
        """The seconds from the end of the fault to the last good request that was not let in."""
        if self.ended is None or self.tally.last_failure is None:
            return 0.0
        return max(0.0, self.tally.last_failure - self.ended)

    def judge(self):
        """What holds of every fault, when nginx has ended: then it tells of connections that were left."""
        tally, log = self.tally, self.nginx.log()
        self.expect(not tally.let_in, f"{len(tally.let_in)} let in: {some(tally.let_in)}")
        self.expect(not tally.needless, f"{len(tally.needless)} good ones failed: {some(tally.needless)}")
        self.expect(tally.counted() == tally.sent, f"{tally.sent} requests sent, {tally.counted()} counted")
        self.expect(tally.accepted > 0, "no good token was accepted")
        self.expect(tally.bad_refused > 0, "no bad token was refused")
        self.expect(self.recovery() < 3, f"not whole again for {self.recovery():.1f} s")
        signals = collections.Counter(int(number) for number in re.findall(r"exited on signal (\d+)", log))
        self.killed = signals.pop(9, 0)
        self.expect(self.killed == self.kills, f"{self.killed} workers were killed, not {self.kills}")
        self.crashed = sum(signals.values())
        self.expect(set(signals) <= self.allowed_signals, f"workers ended on signals: {dict(signals)}")
        alerts = re.findall(r"\[alert\](?!.*exited on signal).*", log)
        self.alerts = [alert for alert in alerts if not (self.allowed_alert and self.allowed_alert in alert)]
        self.expect(not self.alerts, f"{len(self.alerts)} alerts: {some(self.alerts)}")
        self.emergencies = log.count("[emerg]")
        self.expect("internal error" not in log, "an internal error is in the log")


def some(lines):
    counted = collections.Counter(lines).most_common(5)
    return "; ".join(f"{line} ({count} times)" for line, count in counted)


async def put(fault, module, tokens, is_quick):
    """Puts a fault to an nginx; gives what was found out."""
    run = Run(fault, module, tokens, is_quick)
    began = time.monotonic()
    async with run.stack:
        try:
            await fault.function(run)
            await run.nginx.stop()
        except TimeoutError as error:
            run.failures.append(str(error))
        run.judge()
        if run.failures:
            lines = [line for line in run.nginx.log().splitlines() if not NOISE.search(line)]
            run.failures.append("\n".join(["the end of its log:", *(f"      {line[:300]}" for line in lines[-12:])]))
    run.seconds = time.monotonic() - began
    return run


async def pause(seconds):
    await asyncio.sleep(seconds)
