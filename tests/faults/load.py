"""A mixed load of good and bad tokens, of which each answer is counted."""

import asyncio
import collections
import contextlib
import itertools
import random
import time

from server import PAGE

# An answer that takes longer is none.
PATIENCE = 8
SIGNED = ("if", "access", "file", "fetch", "cached", "if_cached", "kept")
GATES = (*SIGNED, "nested", "encrypted")


class NoAnswer(Exception):
    """Why there is none; `is_repeatable` where HTTP has a client ask once more (RFC 9112 section 9.3.1)."""

    def __init__(self, why, is_repeatable=False):
        super().__init__(why)
        self.is_repeatable = is_repeatable


class Client:
    """A connection that is kept, and opened anew when it must be."""

    def __init__(self, path):
        self.path, self.reader, self.writer, self.asked = path, None, None, 0

    async def open(self):
        self.reader, self.writer = await asyncio.open_unix_connection(self.path)
        self.asked = 0

    def close(self):
        if self.writer:
            self.writer.transport.abort()
            self.writer = None

    async def ask(self, target, token, body=None, host="example.com"):
        """The status and the body of an answer."""
        lines = [f"{'GET' if body is None else 'POST'} {target} HTTP/1.1", f"Host: {host}"]
        if token:
            lines.append(f"Authorization: Bearer {token}")
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        request = "\r\n".join([*lines, "", ""]).encode() + (body or b"")
        is_new = self.writer is None
        try:
            if is_new:
                await self.open()
        except OSError as error:
            raise NoAnswer(f"no connection: {error.strerror or error}") from error
        self.asked += 1
        try:
            return await asyncio.wait_for(self.exchange(request, is_new), PATIENCE)
        except asyncio.TimeoutError as error:
            self.close()
            raise NoAnswer(f"nothing within {PATIENCE} s") from error

    async def exchange(self, request, is_new):
        try:
            # Whoever refuses a body may answer, and close, before it is sent.
            with contextlib.suppress(OSError):
                self.writer.write(request)
                await self.writer.drain()
            head = await self.reader.readuntil(b"\r\n\r\n")
        except (OSError, asyncio.IncompleteReadError) as error:
            has_begun = bool(getattr(error, "partial", b""))
            self.close()
            raise NoAnswer("connection cut", not is_new and not has_begun) from error
        fields = head.decode("latin-1").lower().split("\r\n")
        status = int(fields[0].split()[1])
        length = next((int(field[15:]) for field in fields if field.startswith("content-length:")), 0)
        try:
            body = await self.reader.readexactly(length)
        except (OSError, asyncio.IncompleteReadError) as error:
            self.close()
            raise NoAnswer("answer cut") from error
        if "connection: close" in fields:
            self.close()
        return status, body.decode("latin-1")


class Http2:
    """A client that speaks HTTP/2, as little of it as will do to ask, and to leave again."""

    def __init__(self, path):
        self.path, self.writer, self.reading, self.last = path, None, None, 0

    async def open(self):
        reader, self.writer = await asyncio.open_unix_connection(self.path)
        self.reading = asyncio.ensure_future(reader.read())
        self.writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b""))

    def ask_anew(self, target, host, token):
        """Resets the last stream, if there is one, and asks on the next, in one segment."""
        frames = b""
        if self.last:
            frames = frame(3, 0, self.last, (8).to_bytes(4, "big"))
        self.last = self.last + 2 if self.last else 1
        # GET and http by their index; path, authority and Authorization as they are (RFC 7541).
        block = b"\x82\x86\x04" + text(target) + b"\x01" + text(host) + b"\x0f\x08" + text(f"Bearer {token}")
        self.writer.write(frames + frame(1, 5, self.last, block))

    def close(self):
        self.reading.cancel()
        self.writer.transport.abort()


def frame(kind, flags, stream, payload):
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def text(value):
    """A string literal of HPACK, of less than 127 bytes."""
    return bytes((len(value),)) + value.encode()


class Tally:
    """What came of the requests of a fault."""

    def __init__(self):
        self.sent = self.accepted = self.repeated = self.cancelled = self.bad_refused = 0
        self.refused, self.unanswered = collections.Counter(), collections.Counter()
        self.bad_unanswered, self.let_in, self.needless = 0, [], []
        self.accepted_at = collections.Counter()
        self.last_failure = None
        self.tolerated = collections.Counter()

    @contextlib.contextmanager
    def tolerate(self, *what):
        """Lets good tokens be refused, as `(gate, status)`, or be left unanswered, as "unanswered"."""
        self.tolerated.update(what)
        try:
            yield
        finally:
            # Such a request may still be under way.
            asyncio.get_running_loop().call_later(PATIENCE / 4, self.tolerated.subtract, what)

    def is_tolerated(self, what):
        return self.tolerated[what] > 0

    def note(self, gate, case, status, body, is_good):
        """`is_good` is None where the clock changed while the request ran, so that either is right."""
        is_let_in = status == 200 or PAGE in body
        if is_good is None:
            self.accepted += is_let_in
            self.bad_refused += not is_let_in
        elif not is_good:
            if is_let_in:
                self.let_in.append(f"{case.name} at /{gate}")
            else:
                self.bad_refused += 1
        elif is_let_in:
            self.accepted += 1
            self.accepted_at[gate] += 1
        else:
            self.fail((gate, status), f"{case.name} at /{gate}: {status} {body.strip()[:60]!r}")
            self.refused[gate, status] += 1

    def miss(self, gate, case, why, is_good):
        """A request without an answer lets nothing in."""
        if is_good is False:
            self.bad_unanswered += 1
            return
        self.fail("unanswered", f"{case.name} at /{gate}: {why}")
        self.unanswered[why] += 1

    def counted(self):
        """How many requests came to something that was counted."""
        good = self.accepted + sum(self.refused.values()) + sum(self.unanswered.values())
        return good + self.bad_refused + len(self.let_in) + self.bad_unanswered + self.cancelled

    def fail(self, what, how):
        self.last_failure = time.monotonic()
        if not self.is_tolerated(what):
            self.needless.append(how)


class Load:
    """Clients that ask, each a request after the other, until they are told to stop."""

    def __init__(self, nginx, tokens, tally, gates=GATES, clients=8, pause=0.002, is_good=None):
        self.nginx, self.tokens, self.tally, self.gates = nginx, tokens, tally, gates
        self.pause, self.is_over = pause, False
        # The verdict that a case deserves now; a fault of the clock has its own.
        self.is_good = is_good or (lambda gate, case: case.valid)
        self.numbers = itertools.count()
        self.fresh = itertools.cycle(tokens.new)
        self.extra = []
        self.clients = clients

    async def __aenter__(self):
        self.tasks = [asyncio.ensure_future(self.run(number)) for number in range(self.clients)]
        return self

    async def __aexit__(self, *_):
        self.is_over = True
        results = await asyncio.gather(*self.tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    def case(self, gate, choice):
        """A good token or a bad one for a gate, in turn."""
        if gate in ("nested", "encrypted"):
            return choice.choice(getattr(self.tokens, gate))
        if self.extra and choice.random() < 0.3:
            return choice.choice(self.extra)
        if choice.random() < 0.4:
            bad = self.tokens.bad + (self.tokens.revoked * 4 if gate == "access" else [])
            return choice.choice(bad)
        kind = choice.randrange(4)
        if kind == 0:
            return self.tokens.fresh()
        if kind == 1:
            return next(self.fresh)
        return choice.choice(self.tokens.good)

    async def run(self, number):
        choice = random.Random(number)
        client, kept_for = Client(self.nginx.socket), 0
        while not self.is_over:
            if client.asked >= kept_for:
                client.close()
                kept_for = choice.choice((1, 5, 40))
            gate = self.gates[next(self.numbers) % len(self.gates)]
            await self.ask(client, gate, self.case(gate, choice))
            await asyncio.sleep(self.pause)
        client.close()

    async def ask(self, client, gate, case):
        body = b"x" * 100_000 if gate == "upload" else None
        before = self.is_good(gate, case)
        self.tally.sent += 1
        status = None
        for attempt in (1, 2):
            try:
                status, answer = await client.ask(f"/{gate}", case.token, body)
                break
            except NoAnswer as error:
                if attempt == 1 and error.is_repeatable and body is None:
                    self.tally.repeated += 1
                    continue
                why = str(error)
                break
        after = self.is_good(gate, case)
        is_good = after if after == before else None
        if status is None:
            self.tally.miss(gate, case, why, is_good)
        else:
            self.tally.note(gate, case, status, answer, is_good)
