"""The faults, in the order of the table. Each says what it does, and holds nginx to what it expects."""

import asyncio
import contextlib
import glob
import os
import random
import resource
import subprocess
import time

import endpoint as manner
from endpoint import Endpoint, status
from load import GATES, Client, Http2
from run import Skipped, fault, pause
from server import is_alive, options, raise_descriptors, status_of, until
from tokens import DAY, HOUR, ROTATIONS

FETCHING = ("fetch", "cached", "if_cached", "kept")
FAKETIME = next(iter(glob.glob("/usr/lib/*/faketime/libfaketime.so.1")), None)


# The control, which is not in the table


async def open_gate(run):
    """Two gates refuse nobody: whoever counts must notice."""
    await run.start(refuse="^never$")
    async with run.load():
        await pause(0.3)


# Processes


@fault("a worker is killed with -9, again and again", "what it was about to answer is lost; nothing is refused")
async def killed(run):
    nginx = await run.start()
    await run.warm()
    # So that there is always something that a worker was about to answer.
    run.endpoint.manner = manner.late
    with run.tally.tolerate("unanswered"):
        async with run.load():
            for number in range(run.pick(12, 4)):
                await pause(0.25)
                worker = nginx.workers()[number % 2]
                nginx.signal("KILL", worker)
                run.kills += 1
                await until(lambda: len(nginx.workers()) == 2 and worker not in nginx.workers(), "a new worker")
            run.over()
            await pause(run.pick(1, 0.3))


@fault("all workers are killed with -9 at once", "what they were about to answer is lost; nothing is refused", False)
async def all_killed(run):
    nginx = await run.start()
    run.endpoint.manner = manner.late
    with run.tally.tolerate("unanswered"):
        async with run.load():
            for _ in range(run.pick(5, 2)):
                await pause(0.3)
                old = nginx.workers()
                for worker in old:
                    nginx.signal("KILL", worker)
                    run.kills += 1
                await until(lambda: len(nginx.workers()) == 2 and not set(old) & set(nginx.workers()), "new workers")
            run.over()
            await pause(run.pick(1, 0.3))


@fault("the master is killed with -9", "its workers serve on", False)
async def master_killed(run):
    nginx = await run.start()
    master, workers = nginx.master(), nginx.workers()
    async with run.load():
        await pause(0.3)
        nginx.signal("KILL", master)
        await pause(run.pick(2, 0.5))
        run.expect(all(map(is_alive, workers)), "the workers went with the master")
    for worker in workers:
        nginx.signal("QUIT", worker)


@fault("a worker stands still for a second (SIGSTOP)", "its requests wait; nothing is refused", False)
async def frozen(run):
    nginx = await run.start()
    async with run.load():
        for worker in nginx.workers()[: run.pick(2, 1)]:
            await pause(0.2)
            nginx.signal("STOP", worker)
            await pause(1)
            nginx.signal("CONT", worker)
        run.over()
        await pause(0.3)


@fault("a reload every 100 ms", "no request is lost or refused")
async def reloads(run):
    nginx = await run.start()
    count = run.pick(50, 12)
    async with run.load():
        for _ in range(count):
            nginx.signal("HUP")
            await pause(0.1)
        run.over()
        await pause(0.3)
    # One that comes before nginx has seen the last is as none.
    seen = nginx.log().count("reconfiguring")
    run.expect(seen > count / 3, f"{seen} reloads of {count}")
    run.notes.append(f"{seen} reloads")


@fault("the executable is replaced (USR2, WINCH, QUIT), and once more", "no request is lost or refused")
async def upgrade(run):
    nginx = await run.start()
    async with run.load():
        for _ in range(run.pick(4, 1)):
            old, old_workers = nginx.master(), nginx.workers()
            nginx.signal("USR2", old)
            await until(lambda: nginx.master() not in (None, old), "a new master")
            new = nginx.master()
            await until(lambda: len(nginx.workers(new)) == 2, "its workers")
            await pause(0.1)
            nginx.signal("WINCH", old)
            await until(lambda: not any(map(is_alive, old_workers)), "the end of the old workers")
            nginx.signal("QUIT", old)
            await until(lambda: not is_alive(old), "the end of the old master")
        run.over()
        await pause(0.3)


@fault("an upgrade of the executable is taken back (USR2, WINCH, HUP, QUIT)", "no request is lost or refused", False)
async def rollback(run):
    nginx = await run.start()
    async with run.load():
        old, old_workers = nginx.master(), nginx.workers()
        nginx.signal("USR2", old)
        await until(lambda: nginx.master() not in (None, old), "a new master")
        new = nginx.master()
        await until(lambda: len(nginx.workers(new)) == 2, "its workers")
        nginx.signal("WINCH", old)
        await until(lambda: not any(map(is_alive, old_workers)), "the end of the old workers")
        nginx.signal("HUP", old)
        await until(lambda: len(nginx.workers(old)) == 2, "workers of the old master")
        nginx.signal("QUIT", new)
        await until(lambda: not is_alive(new), "the end of the new master")
        await until(lambda: nginx.master() == old, "the old master's file")
        run.over()
        await pause(0.3)


@fault("reloads fail: configuration, keys or list are broken", "the old configuration serves")
async def failed_reloads(run):
    nginx = await run.start()
    whole, count = run.tokens.key_set(), 0

    async def fails():
        nonlocal count
        count += 1
        nginx.signal("HUP")
        await until(lambda: nginx.log().count("[emerg]") >= count, "an emergency in the log")

    async with run.load():
        old = nginx.workers()
        for _ in range(run.pick(5, 1)):
            nginx.configure("garbage;")
            await fails()
            nginx.configure()
            for text in (whole[: len(whole) // 2], "", "garbage", '{"keys": []}'):
                nginx.replace("keys.jwks", text)
                await fails()
            nginx.replace("keys.jwks", whole)
            nginx.replace("revoked.json", '{"thief": nu')
            await fails()
            nginx.replace("revoked.json", '{"thief": null}')
        run.expect(nginx.workers() == old, "the workers are new")
        await nginx.reload()
        run.over()
        await pause(0.3)
    run.notes.append(f"{count} failed reloads")


@fault("the error log is renamed, and reopened (USR1)", "no request is lost or refused", False)
async def logs_rotate(run):
    nginx = await run.start()
    async with run.load():
        for number in range(run.pick(10, 3)):
            os.rename(nginx.folder / "error.log", nginx.folder / f"error.log.{number}")
            nginx.signal("USR1")
            await until((nginx.folder / "error.log").exists, "a new log")
            await pause(0.1)


# Files


@fault("a key file is replaced by renaming", "no request is refused")
async def renamed(run):
    nginx = await run.start()
    async with run.load(("file", "access"), clients=6):
        for number in range(run.pick(200, 40)):
            for alg in ("RS256", "ES256", "EdDSA", "HS256"):
                text = run.tokens.key_set(alg, f"rotation {number % ROTATIONS}")
                nginx.replace(f"keys/{alg}.jwks", text)
            await pause(0.01)


@fault("a key file is written in place, slowly", "while it is half-written the keys that were there serve")
async def written_slowly(run):
    nginx = await run.start()
    whole = run.tokens.key_set("ES256", "rotation 0", "RS256")
    async with run.load(("file",), clients=6):
        await pause(0.4)
        for _ in range(run.pick(4, 2)):
            with open(nginx.folder / "keys/ES256.jwks", "w") as file:
                for start in range(0, len(whole), 100):
                    await pause(0.03)
                    file.write(whole[start : start + 100])
                    file.flush()
            await pause(0.2)
        run.over()
        await pause(0.3)


@fault("a key file is cut, emptied, or garbage, for a while", "the keys that were there serve for five seconds")
async def broken_file(run):
    nginx = await run.start()
    whole = run.tokens.key_set("ES256")
    async with run.load(("file",), clients=6):
        await pause(0.4)
        for text in (whole[:-60], "", "garbage", '{"keys": [{}]}', "-----BEGIN PUBLIC KEY-----\nMF"):
            nginx.write("keys/ES256.jwks", text)
            await pause(run.pick(0.6, 0.2))
            nginx.replace("keys/ES256.jwks", whole)
            await pause(run.pick(0.3, 0.1))
        run.over()
        await pause(0.3)


@fault("a key file stays broken", "its keys serve for five seconds, and then its tokens are refused with 500", False)
async def stays_broken(run):
    nginx = await run.start()
    case = next(case for case in run.tokens.good if case.name.startswith("ES256"))
    with run.tally.tolerate(("file", 500)):
        async with run.load(("file",), clients=4):
            await pause(0.5)
            began = time.monotonic()
            nginx.write("keys/ES256.jwks", "garbage")
            await pause(3)
            run.expect(not run.tally.refused, "refused within three seconds")
            await pause(max(0, began + 7 - time.monotonic()))
            for _ in range(4):
                run.expect(await run.answer("file", case) == 500, "accepted after seven seconds")
            nginx.replace("keys/ES256.jwks", run.tokens.key_set("ES256"))
            run.over()
            await pause(0.3)


@fault(
    "a key file is deleted, made unreadable, or a folder",
    "its tokens are refused at once, with 401 where the token chose what is not there, and no others",
)
async def deleted(run):
    nginx = await run.start()
    path, whole = nginx.folder / "keys/ES256.jwks", run.tokens.key_set("ES256")
    case = next(case for case in run.tokens.good if case.name.startswith("ES256"))
    with run.tally.tolerate(("file", 401), ("file", 500)):
        async with run.load(("file", "access"), clients=6):
            for _ in range(run.pick(5, 2)):
                path.unlink()
                run.expect(await run.answer("file", case) == 401, "a key of a deleted file serves")
                await pause(0.1)
                path.mkdir()
                run.expect(await run.answer("file", case) == 401, "a folder serves")
                path.rmdir()
                nginx.replace("keys/ES256.jwks", whole)
                run.expect(await run.answer("file", case) == 200, "the file that is back does not serve")
                if os.geteuid() == 0:
                    path.chmod(0)
                    run.expect(await run.answer("file", case) == 500, "an unreadable file serves")
                    path.chmod(0o644)
            run.over()
            await pause(0.3)


@fault("a key is withdrawn from a file while its tokens are in use", "from that moment on they are refused")
async def withdrawn(run):
    nginx = await run.start()
    names = [name for name in run.tokens.good if name.name.split(",")[0] in ("ES256", "EdDSA")]
    async with run.load(("access", "if"), clients=4):
        for _ in range(run.pick(60, 15)):
            for case in names:
                alg = case.name.split(",")[0]
                nginx.replace(f"keys/{alg}.jwks", run.tokens.key_set(f"forger {alg}"))
                for _ in range(3):
                    await run.answer("file", case._replace(name=f"withdrawn {alg}", valid=False))
                nginx.replace(f"keys/{alg}.jwks", run.tokens.key_set(alg))
                for _ in range(3):
                    await run.answer("file", case)


@fault("a revocation list is broken, half-written or deleted", "the list that was there counts", False)
async def broken_list(run):
    nginx = await run.start()
    async with run.load(("access",), clients=6):
        for text in ('{"thief": nu', '["thief', "{", None, '{"thief": null}'):
            if text is None:
                (nginx.folder / "revoked.json").unlink()
            else:
                nginx.write("revoked.json", text)
            await pause(run.pick(1.3, 0.4))
        # In place, and slowly: while it is half-written it names fewer.
        names = [*(f"somebody {number}" for number in range(9)), "thief"]
        nginx.replace("revoked.json", "\n".join(names))
        await pause(1.5)
        for _ in range(run.pick(2, 1)):
            with open(nginx.folder / "revoked.json", "w") as file:
                for name in names:
                    file.write(f"{name}\n")
                    file.flush()
                    await pause(0.2)
        run.over()


@fault(
    "the disk is full: logs, temporary files, cache and key files",
    "nginx cannot take large bodies; nothing else is refused",
)
async def disk_full(run):
    nginx = await start_on_tiny_disk(run)
    await run.warm(("file", *FETCHING))
    filler = nginx.folder / "tiny/filler"

    def fill():
        with open(filler, "ab", buffering=0) as file:
            while True:
                try:
                    file.write(b"x" * 512)
                except OSError:
                    return

    with run.tally.tolerate(("upload", 500), ("upload", 413)):
        async with run.load((*GATES, "upload")):
            fill()
            logged = os.path.getsize(nginx.folder / "tiny/error.log")
            for _ in range(run.pick(8, 3)):
                # An operator's new key file, which does not fit: whoever renames it notices before.
                try:
                    nginx.replace("tiny/keys/ES256.jwks", run.tokens.key_set("ES256") + " " * 9000)
                    run.expect(False, "the disk is not full")
                except OSError:
                    pass
                await pause(0.25)
                fill()
            run.expect(os.path.getsize(nginx.folder / "tiny/error.log") - logged < 4096, "the log still grows")
            run.expect(run.tally.refused[("upload", 500)] > 0, "bodies are taken all the same")
            filler.unlink()
            (nginx.folder / "tiny/keys/ES256.jwks.new").unlink(missing_ok=True)
            run.over()
            await pause(0.3)
        await pause(0.1)
        run.expect(
            await run.answer("upload", run.good("upload"), body=b"x" * 30_000) == 200, "bodies are not taken again"
        )


async def start_on_tiny_disk(run):
    """The error log, nginx's temporary files and the key files are on a disk of 256 KB."""
    tiny = run.make_folder() / "tiny"
    tiny.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k,mode=755", "tmpfs", str(tiny)], capture_output=True
    )
    if mounted.returncode != 0:
        raise Skipped(f"no tmpfs can be mounted: {mounted.stderr.decode().strip()}")
    run.stack.callback(subprocess.run, ["umount", "-l", str(tiny)], check=True)
    for name in ("temporary", "keys"):
        (tiny / name).mkdir()
    return await run.start(temporary="tiny/temporary", keys="tiny/keys", error_log="tiny/error.log")


# Limits

# A process may always lower the limits of another one of the same user.
AS_OURSELVES = "user root root;" if os.geteuid() == 0 else ""


def limit(worker, what, most):
    """Sets a limit of a worker, or with None lifts it."""
    # It may have ended by now.
    with contextlib.suppress(ProcessLookupError):
        _, hard = resource.prlimit(worker, what)
        resource.prlimit(worker, what, (hard if most is None else most, hard))


@fault(
    "a worker's memory is used up (RLIMIT_AS)",
    "requests fail, or the worker ends and another takes over; whole when the limit is gone",
)
async def memory_short(run):
    nginx = await run.start(main=AS_OURSELVES)
    await run.warm()
    # A signature for which AWS-LC gets no memory counts as none.
    with run.tally.tolerate("unanswered", *((gate, code) for gate in GATES for code in (401, 500, 503))):
        async with run.load(clients=16):
            for step in range(run.pick(12, 4)):
                for worker in nginx.workers():
                    more = random.Random(step).choice((0, 65536, 262144, 1048576))
                    limit(worker, resource.RLIMIT_AS, size_of(worker) + more)
                hold = [await holder(nginx) for _ in range(200)]
                await pause(0.2)
                for client in hold:
                    client.close()
                for worker in nginx.workers():
                    limit(worker, resource.RLIMIT_AS, None)
            run.over()
            await pause(0.5)
    log = nginx.log()
    shortages = log.count("failed (12: Cannot allocate memory)") + log.count("exited on signal 6")
    run.expect(shortages > 0, "memory was never short")
    # Rust aborts where it gets no memory; and nginx denies where a regular expression gets none.
    run.allowed_signals.add(6)
    run.allowed_alert = "pcre2_match() failed: -48"
    run.notes.append(f"{log.count('failed (12: Cannot allocate memory)')} allocations failed")


def size_of(worker):
    with contextlib.suppress(OSError):
        return status_of(worker, "VmSize") * 1024
    return 0


async def holder(nginx):
    """A connection that has nginx hold on to 8 KB for a request that never ends."""
    client = Client(nginx.socket)
    try:
        await client.open()
        client.writer.write(b"GET /access HTTP/1.1\r\nHost: example.com\r\nX: " + b"x" * 7000)
    except OSError:
        client.close()
    return client


@fault(
    "a worker's descriptors are used up (RLIMIT_NOFILE)",
    "connections wait; keys that must be fetched are not: 500",
)
async def descriptors_short(run):
    nginx = await run.start(main=AS_OURSELVES)
    await run.warm()
    with run.tally.tolerate(("fetch", 500)):
        async with run.load(clients=24):
            for _ in range(run.pick(4, 2)):
                for worker in nginx.workers():
                    used = len(os.listdir(f"/proc/{worker}/fd"))
                    limit(worker, resource.RLIMIT_NOFILE, max(used - 6, 10))
                await pause(run.pick(0.6, 0.4))
                for worker in nginx.workers():
                    limit(worker, resource.RLIMIT_NOFILE, None)
                await pause(0.1)
            run.over()
            await pause(1)
    run.expect("(24: " in nginx.log(), "there were descriptors all the time")
    run.allowed_alert = "socket() failed (24: "


@fault("all connections of nginx are in use (worker_connections)", "who gets none has no answer; keys are not fetched")
async def connections_short(run):
    nginx = await run.start(connections=48)
    await run.warm()
    with run.tally.tolerate("unanswered", ("fetch", 500)):
        async with run.load():
            for _ in range(run.pick(3, 1)):
                # 48 of each worker are more than there are.
                hold = [await holder(nginx) for _ in range(120)]
                await pause(run.pick(0.6, 0.3))
                for client in hold:
                    client.close()
                await pause(0.1)
            run.over()
            await pause(0.5)
    run.expect("worker_connections are not enough" in nginx.log(), "there were connections all the time")
    run.allowed_alert = "worker_connections are not enough"


@fault("10,000 connections at once, idle, then all asking", "all are answered", False)
async def ten_thousand(run):
    count = 10_000
    files = raise_descriptors(2 * count)
    if files < count + 1000:
        raise Skipped(f"this process may not open {count} files (ulimit -n)")
    nginx = await run.start(connections=20_000, files=files)
    await run.warm()
    clients = [Client(nginx.socket) for _ in range(count)]

    async def open_all(part):
        for client in part:
            for _ in range(200):
                try:
                    await client.open()
                    break
                except BlockingIOError:
                    await pause(0.01)

    await asyncio.gather(*(open_all(clients[start::20]) for start in range(20)))
    async with run.load(clients=2) as load:
        await until(lambda: nginx.descriptors() >= count, f"{count} connections")
        run.notes.append(f"{nginx.descriptors()} descriptors open in two workers")
        choice = random.Random(0)

        async def ask(number, client):
            gate = GATES[number % len(GATES)]
            await load.ask(client, gate, load.case(gate, choice))

        for start in range(0, count, 1000):
            await asyncio.gather(*(ask(number, clients[number]) for number in range(start, start + 1000)))
    for client in clients:
        client.close()
    before = time.monotonic()
    await until(lambda: nginx.descriptors() < 200, "the end of the connections")
    run.notes.append(f"closed within {time.monotonic() - before:.1f} s")


# The clock


class Clock:
    """That of an nginx under libfaketime."""

    def __init__(self, run):
        self.run, self.offset, self.is_moving = run, 0, False

    async def start(self):
        if FAKETIME is None:
            raise Skipped("libfaketime is not installed (apt-get install libfaketime)")
        self.file = self.run.make_folder() / "clock"
        self.write("+0")
        variables = {
            "LD_PRELOAD": FAKETIME, "FAKETIME_TIMESTAMP_FILE": str(self.file), "FAKETIME_NO_CACHE": "1",
            # As with a clock that is set: the other one, of nginx's timers, never jumps.
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }  # fmt: skip
        # nginx keeps none for its workers that it is not told to.
        main = "".join(f"env {name};" for name in variables)
        nginx = await self.run.start(main=main, environment=variables)
        return nginx

    def write(self, text):
        new = self.file.with_suffix(".new")
        new.write_text(text)
        os.chmod(new, 0o644)
        os.replace(new, self.file)

    async def jump(self, offset):
        """Sets the clock, and waits until both workers have noticed."""
        self.is_moving = True
        self.write(f"{offset:+d}")
        await pause(0.4)
        self.offset, self.is_moving = offset, False

    def is_good(self, gate, case):
        """Whether a token is good by the clock of nginx; None while that moves."""
        if case.valid is not None:
            ends = self.run.tokens.now + 7 * DAY
            return case.valid if self.offset < ends else None
        if self.is_moving:
            return None
        now = time.time() + self.offset
        return (case.begins is None or now >= case.begins) and (case.ends is None or now < case.ends)


async def clock_jumps(run, *offsets):
    clock = Clock(run)
    await clock.start()
    await run.warm()
    load = run.load(is_good=clock.is_good)
    load.extra = run.tokens.timed
    async with load:
        for offset in offsets:
            await pause(0.3)
            await clock.jump(offset)
            shown = await Client(run.nginx.socket).ask("/access", None)
            run.expect(shown[0] == 401, "no answer after a jump")
            await pause(run.pick(1.5, 0.5))
        await clock.jump(0)
        await pause(0.3)
    return clock


@fault(
    "the clock is set back by an hour, and forth",
    "`nbf` and `exp` are judged by the clock as it is; nothing else changes",
    False,
)
async def clock_back(run):
    await clock_jumps(run, -HOUR)


@fault(
    "the clock is set forth by a day, and back",
    "tokens expire by the clock as it is; nothing else changes",
    False,
)
async def clock_forth(run):
    await clock_jumps(run, DAY)


@fault("the clock jumps while the endpoint is down", "keys that are kept age by a clock that does not jump")
async def clock_and_outage(run):
    clock = Clock(run)
    await clock.start()
    gates = ("cached", "if_cached", "kept")
    await run.warm(gates)
    run.endpoint.manner = status(b"503 Down")
    load = run.load(gates, is_good=clock.is_good)
    async with load:
        for offset in (-HOUR, DAY, -DAY, 0):
            await clock.jump(offset)
            await pause(run.pick(0.8, 0.2))
        run.endpoint.manner = manner.good
        run.over()
        await pause(0.3)


# The endpoint of keys

# How long nginx waits for the endpoint, and so a request where nothing is kept.
SOON = "500ms"


NOT_KEPT = "500 where nothing is kept; kept keys serve"


def outage(title, answer, expectation=NOT_KEPT, refused=True, is_quick=False):
    """A fault of the endpoint for a while: gates that keep keys have them from before. `refused` is None
    where it depends on nginx's version."""

    async def function(run):
        await run.start(timeout=SOON)
        await run.warm(FETCHING)
        with run.tally.tolerate(*([] if refused is False else [("fetch", 500)])):
            async with run.load():
                await pause(0.2)
                run.endpoint.manner = answer
                before = run.endpoint.requests
                await pause(run.pick(1.8, 0.9))
                run.expect(run.endpoint.requests > before, "the endpoint was never asked")
                run.endpoint.manner = manner.good
                run.over()
                await pause(run.pick(0.6, 0.3))
        if refused:
            run.expect(sum(run.tally.refused.values()) > 0, "good tokens pass without keys")

    fault(f"the endpoint {title}", expectation, is_quick)(function)


outage("is slow: byte by byte", manner.byte_by_byte, "requests wait; nothing is refused", False)
outage("says nothing", manner.says_nothing, is_quick=True)


def unreachable(title, begin, end, is_quick):
    """The endpoint answers nobody for a while."""

    async def function(run):
        await run.start(timeout=SOON)
        await run.warm(FETCHING)
        with run.tally.tolerate(("fetch", 500)):
            async with run.load():
                await pause(0.2)
                begin(run.endpoint)
                await pause(run.pick(1.8, 0.9))
                end(run.endpoint)
                run.over()
                await pause(run.pick(0.8, 0.5))
        run.expect(run.tally.refused["fetch", 500] > 0, "good tokens pass without keys")

    fault(f"the endpoint {title}", NOT_KEPT, is_quick)(function)


unreachable("accepts no connection", Endpoint.ignore, Endpoint.accept, False)
unreachable("does not listen", Endpoint.refuse, Endpoint.listen, True)


outage("stops within the headers", manner.stops_within_the_headers)
outage("stops after the headers", manner.stops_after_the_headers)
outage("stops within the body", manner.stops_within_the_body)
outage("closes at once", manner.closes_at_once)
outage("closes within the headers", manner.closes_within_the_headers)
outage("closes within the body", manner.closes_within_the_body, is_quick=True)
outage("promises a longer body than it sends", manner.promises_too_much)
outage("promises a shorter body than it sends", manner.promises_too_little)
outage("promises a length of -1", manner.promises_nonsense, NOT_KEPT, None)
outage("sends chunks", manner.chunks, "nothing is refused", False)
outage("sends chunks of garbage", manner.chunks_of_garbage)
outage("sends chunks without an end", manner.chunks_without_an_end)
outage("answers 200 with a page in HTML", manner.page, is_quick=True)
outage("answers 200 with nothing", manner.nothing)
outage("does not speak HTTP", manner.no_http)
outage("sends a header of 64 KB", manner.huge_header)
outage("sends a body of 8 MB", manner.huge_body)
outage("sends 64 MB compressed to 64 KB", manner.compressed_bomb)
outage("answers 500", status(b"500 Internal Server Error"))
outage("answers 503", status(b"503 Service Unavailable"))
outage("answers 429", status(b"429 Too Many Requests"))
outage("redirects", status(b"302 Found\r\nLocation: http://127.0.0.1:1/keys"))


@fault("the endpoint flaps: good and bad every 200 ms", "500 at times where nothing is kept; kept keys serve")
async def flaps(run):
    await run.start(timeout=SOON)
    await run.warm(FETCHING)
    bad = (status(b"500 Down"), manner.page, manner.closes_within_the_body, manner.closes_at_once, manner.says_nothing)
    with run.tally.tolerate(("fetch", 500)):
        async with run.load():
            for number in range(run.pick(20, 6)):
                run.endpoint.manner = bad[number // 2 % len(bad)] if number % 2 else manner.good
                await pause(0.2)
            run.endpoint.manner = manner.good
            run.over()
            await pause(0.3)
    run.expect(run.tally.refused["fetch", 500] > 0, "good tokens pass without keys")


@fault(
    "the endpoint is down; meanwhile reloads and -9",
    "those serve that `proxy_cache` keeps; a new worker has no others",
)
async def outage_and_reload(run):
    nginx = await run.start(timeout=SOON)
    await run.warm(FETCHING)
    tolerated = [("fetch", 500), ("cached", 500), ("if_cached", 401)]
    with run.tally.tolerate("unanswered", *tolerated):
        async with run.load():
            run.endpoint.manner = status(b"503 Down")
            await pause(0.3)
            await nginx.reload()
            await pause(0.3)
            nginx.signal("KILL", nginx.workers()[0])
            run.kills += 1
            await pause(run.pick(2, 0.6))
            run.endpoint.manner = manner.good
            run.over()
            await pause(run.pick(2, 1.4))
    run.expect(run.tally.accepted_at["kept"] > 0, "no kept key serves")


@fault(
    "the endpoint rotates its keys every second",
    "tokens of published keys pass, those of retired keys do not",
    False,
)
async def rotates(run):
    await run.start(timeout=SOON)
    # A key is published two turns before it signs, and withdrawn when the next one signs. What gates may
    # remember of it meanwhile: the worker for a second, `proxy_cache` for two more, and both until they
    # are asked.
    lead, step = 3, run.pick(1.0, 0.7)
    lag = {"fetch": 0.2, "cached": 1.8, "if_cached": 1.8, "kept": 5}
    turns = []

    def is_good(gate, case):
        if not case.name.startswith("rotation"):
            # The issuer's usual keys are not published meanwhile.
            return False
        number = int(case.name.split()[1])
        now, turn = time.monotonic(), len(turns) - 1
        if turn <= number < turn + lead:
            return True if number < lead or now - turns[number - lead + 1] > lag[gate] else None
        if number < turn:
            return False if now - turns[number + 1] > lag[gate] else None
        return False

    def publish():
        names = [f"rotation {number}" for number in range(len(turns), len(turns) + lead)]
        run.endpoint.body = run.tokens.key_set(*names).encode()
        turns.append(time.monotonic())

    publish()
    load = run.load(FETCHING, is_good=is_good)
    load.extra = run.tokens.rotated
    async with load:
        for _ in range(run.pick(ROTATIONS - lead, 4)):
            await pause(step)
            publish()
        await pause(step)


# Clients that go away


STEPS = {
    "before the endpoint accepts": None,
    "while the endpoint is silent": manner.held(lambda head: 0),
    "within the headers": manner.held(lambda head: head // 2),
    "after the headers": manner.held(lambda head: head),
    "within the body": manner.held(lambda head: head + 50),
    "as the answer comes": manner.late,
}


def cancellation(step, answer):
    async def function(run):
        # One worker, so that all who want the same keys share a fetch.
        nginx = await run.start(timeout=SOON, workers=1)
        await run.warm(FETCHING)
        await cancel(run, answer, run.pick(10, 6))
        await until(lambda: run.endpoint.connections == 0, "the end of the fetches")
        await pause(0.3)
        descriptors, resident = nginx.descriptors(), nginx.resident()
        await cancel(run, answer, run.pick(60, 8))
        await until(lambda: run.endpoint.connections == 0, "the end of the fetches")
        await until(lambda: nginx.descriptors() <= descriptors, "the end of all connections")
        grown = nginx.resident() - resident
        run.expect(grown < 2048, f"the worker has grown by {grown} kB")
        run.over()
        async with run.load():
            await pause(run.pick(0.5, 0.3))
        run.expect(run.endpoint.abandoned == 0, f"nginx gave up {run.endpoint.abandoned} fetches")
        run.notes.append(f"{run.tally.cancelled} cancelled, {grown} kB more")

    title = f"clients go away {step}: one, and ten of twenty"
    is_quick = step in ("while the endpoint is silent", "as the answer comes")
    fault(title, "the others are served; nothing leaks", is_quick)(function)


async def cancel(run, answer, rounds):
    """Clients that leave in the middle of a fetch, alone, or with others that share it and stay."""
    choice = random.Random(1)
    for number in range(rounds):
        run.endpoint.resumed.clear()
        if answer is None:
            run.endpoint.ignore()
        else:
            run.endpoint.manner = answer
        is_shared = number % 3 == 0
        gate = "fetch" if is_shared else choice.choice(FETCHING)
        # Of a host of its own no keys are kept.
        host = "example.com" if is_shared else f"h{choice.randrange(10**9)}.example.com"
        leaving = [await abandon(run, gate, host) for _ in range(10 if is_shared else 1)]
        # When the answer to a fetch is just coming.
        moment = 0.1 + choice.uniform(-0.003, 0.003) if answer is manner.late else 0.012
        began = time.monotonic()
        await pause(0.012)
        staying = [asyncio.ensure_future(run.answer(gate, run.tokens.fresh())) for _ in range(10 if is_shared else 0)]
        await pause(max(0.012, began + moment - time.monotonic()))
        # The first is the one that began the fetch, which goes on without it.
        if number % 2:
            choice.shuffle(leaving)
        for client in leaving:
            client.close()
        await pause(0.005)
        run.endpoint.accept()
        run.endpoint.resumed.set()
        await asyncio.gather(*staying)
    run.endpoint.manner = manner.good


async def abandon(run, gate, host):
    """A client that has asked, and will not wait."""
    client = Client(run.nginx.socket)
    await client.open()
    lines = (f"GET /{gate} HTTP/1.1", f"Host: {host}", f"Authorization: Bearer {run.tokens.fresh().token}", "", "")
    client.writer.write("\r\n".join(lines).encode())
    run.tally.sent += 1
    run.tally.cancelled += 1
    return client


for step, answer in STEPS.items():
    cancellation(step, answer)


# An answer to this takes a while, and comes to nothing: it begins as a token does.
JUNK = "eyJhbGciOiJSUzI1NiJ9.e30.AA"


@fault("a client goes away again and again over HTTP/2", "all others are served")
async def resets(run):
    folder = run.make_folder()
    if "http_v2_module" not in options():
        raise Skipped("this nginx was built without HTTP/2")
    # A worker that has just started, so that nothing is kept.
    nginx = await run.start(workers=1, server=f"listen unix:{folder}/http2 http2;")
    run.endpoint.manner = manner.very_late
    attacker = Http2(f"{folder}/http2")
    await attacker.open()

    async def attack():
        while True:
            attacker.ask_anew("/cached", "example.com", JUNK)
            run.tally.sent += 1
            run.tally.cancelled += 1
            await pause(0.1)

    attacking = asyncio.ensure_future(attack())
    await pause(0.15)
    began = time.monotonic()
    async with run.load(FETCHING):
        await pause(run.pick(6, 2))
    seconds = time.monotonic() - began
    attacking.cancel()
    attacker.close()
    await asyncio.gather(attacking, return_exceptions=True)
    await until(lambda: run.endpoint.connections == 0, "the end of the fetches")
    # Two locations, each asked for a third of a second.
    fetches = run.endpoint.requests
    run.expect(fetches < 2 * (seconds / 0.3 + 3), f"{fetches} fetches in {seconds:.1f} s")
    run.expect(all(run.tally.accepted_at[gate] for gate in FETCHING), "a gate let nobody in")
    run.notes.append(f"{run.tally.cancelled} streams reset, {fetches} fetches")


@fault("the endpoint sends a byte every second, and nobody waits", "the fetch ends after a minute", False)
async def drips(run):
    await run.start(workers=1)
    run.endpoint.manner = manner.drips
    began = time.monotonic()
    (await abandon(run, "fetch", "example.com")).close()
    await until(lambda: run.endpoint.connections == 1, "the fetch")
    await until(lambda: run.endpoint.connections == 0, "its end", 75)
    seconds = time.monotonic() - began
    run.expect(58 < seconds < 64, f"it took {seconds:.0f} s")
    run.endpoint.manner = manner.good
    async with run.load():
        await pause(0.5)
