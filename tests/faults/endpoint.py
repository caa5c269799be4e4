"""An endpoint of keys that can be slow, hung, broken and dishonest; and an application behind the gates."""

import asyncio
import contextlib
import gzip
import socket

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
MEGABYTE = 1024 * 1024


class Endpoint:
    """Listens on a loopback port, and answers each request in the manner of the moment."""

    def __init__(self, body):
        self.body = body.encode()
        self.manner = good
        # Requests that were read, connections that are open, and those of which nginx went away first.
        self.requests = self.connections = self.abandoned = 0
        self.tasks, self.port = set(), 0
        # What `held` answers wait for.
        self.resumed = asyncio.Event()
        self.listen()
        self.port = self.listener.getsockname()[1]

    def accept(self):
        """Accepts, from now on."""
        asyncio.get_running_loop().add_reader(self.listener.fileno(), self.welcome)

    def ignore(self):
        """Accepts nobody: the system lets clients connect all the same, and they wait."""
        asyncio.get_running_loop().remove_reader(self.listener.fileno())

    def refuse(self):
        """Does not listen, until `listen`."""
        self.ignore()
        self.listener.close()

    def listen(self):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", self.port))
        self.listener.listen(4096)
        self.listener.setblocking(False)
        self.accept()

    def welcome(self):
        with contextlib.suppress(BlockingIOError):
            connection, _ = self.listener.accept()
            connection.setblocking(False)
            task = asyncio.ensure_future(self.converse(connection))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def converse(self, connection):
        self.connections += 1
        reader, writer = await asyncio.open_connection(sock=connection)
        try:
            with contextlib.suppress(asyncio.IncompleteReadError):
                await reader.readuntil(b"\r\n\r\n")
                self.requests += 1
                answering = asyncio.ensure_future(self.manner(self, writer))
                leaving = asyncio.ensure_future(reader.read())
                await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
                if not answering.done():
                    self.abandoned += 1
                    answering.cancel()
                leaving.cancel()
                await asyncio.gather(answering, leaving, return_exceptions=True)
        except OSError:
            pass
        finally:
            self.connections -= 1
            with contextlib.suppress(OSError):
                writer.close()

    async def close(self):
        self.refuse()
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


def head(length, more=b""):
    return OK + more + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % length


async def send(writer, data):
    writer.write(data)
    await writer.drain()


async def for_ever():
    await asyncio.Event().wait()


async def good(endpoint, writer):
    await send(writer, head(len(endpoint.body)) + endpoint.body)


async def late(endpoint, writer):
    await asyncio.sleep(0.1)
    await good(endpoint, writer)


async def very_late(endpoint, writer):
    await asyncio.sleep(0.3)
    await good(endpoint, writer)


def held(where):
    """Good, but stops until it is told to go on: where, is for a function of the length of the headers to say."""

    async def answer(endpoint, writer):
        headers = head(len(endpoint.body))
        whole = headers + endpoint.body
        first = where(len(headers))
        await send(writer, whole[:first])
        await endpoint.resumed.wait()
        await send(writer, whole[first:])

    return answer


async def drips(endpoint, writer):
    await send(writer, head(len(endpoint.body)))
    for byte in endpoint.body:
        await send(writer, bytes((byte,)))
        await asyncio.sleep(1)


async def byte_by_byte(endpoint, writer):
    """Some seven hundred bytes take a third of a second."""
    await send(writer, head(len(endpoint.body)))
    for start in range(0, len(endpoint.body), 4):
        await send(writer, endpoint.body[start : start + 4])
        await asyncio.sleep(0.001)


async def says_nothing(endpoint, writer):
    await for_ever()


async def stops_after_the_headers(endpoint, writer):
    await send(writer, head(len(endpoint.body)))
    await for_ever()


async def stops_within_the_headers(endpoint, writer):
    await send(writer, OK)
    await for_ever()


async def stops_within_the_body(endpoint, writer):
    await send(writer, head(len(endpoint.body)) + endpoint.body[:-50])
    await for_ever()


async def closes_at_once(endpoint, writer):
    pass


async def closes_within_the_headers(endpoint, writer):
    await send(writer, OK[:-1])


async def closes_within_the_body(endpoint, writer):
    await send(writer, head(len(endpoint.body)) + endpoint.body[:-50])


async def promises_too_much(endpoint, writer):
    """The body is whole, but its length is said to be greater."""
    await send(writer, head(len(endpoint.body) + 100) + endpoint.body)


async def promises_too_little(endpoint, writer):
    await send(writer, head(len(endpoint.body) - 100) + endpoint.body)


async def promises_nonsense(endpoint, writer):
    await send(writer, OK + b"Content-Length: -1\r\n\r\n" + endpoint.body)


CHUNKED = OK + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"


async def chunks(endpoint, writer):
    body = endpoint.body
    await send(writer, CHUNKED + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))


async def chunks_of_garbage(endpoint, writer):
    await send(writer, CHUNKED + b"zz\r\n" + endpoint.body + b"\r\n0\r\n\r\n")


async def chunks_without_an_end(endpoint, writer):
    await send(writer, CHUNKED + b"%x\r\n%s\r\n" % (len(endpoint.body), endpoint.body))


async def page(endpoint, writer):
    text = b"<!doctype html><title>Maintenance</title><p>We will be back soon."
    await send(writer, head(len(text)) + text)


async def nothing(endpoint, writer):
    await send(writer, head(0))


async def no_http(endpoint, writer):
    await send(writer, bytes(range(256)) * 8)


async def huge_header(endpoint, writer):
    await send(writer, OK + b"X-Filler: " + b"x" * 65536 + b"\r\n" + head(len(endpoint.body)) + endpoint.body)


async def huge_body(endpoint, writer):
    """Good keys after white space of 8 MB."""
    await send(writer, head(8 * MEGABYTE + len(endpoint.body)))
    for _ in range(8):
        await send(writer, b" " * MEGABYTE)
    await send(writer, endpoint.body)


BOMB = gzip.compress(b" " * 64 * MEGABYTE)


async def compressed_bomb(endpoint, writer):
    """64 MB in 64 KB."""
    await send(writer, head(len(BOMB), b"Content-Encoding: gzip\r\n") + BOMB)


def status(line):
    async def answer(endpoint, writer):
        await send(writer, b"HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % line)

    return answer


class Application:
    """Takes bodies, and answers with the page."""

    def __init__(self, page):
        self.page = page.encode()

    async def start(self):
        self.server = await asyncio.start_server(self.answer, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def answer(self, reader, writer):
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            lines = await reader.readuntil(b"\r\n\r\n")
            for line in lines.lower().split(b"\r\n"):
                if line.startswith(b"content-length:"):
                    await reader.readexactly(int(line.split(b":")[1]))
            await send(writer, head(len(self.page)) + self.page)
        writer.close()

    def close(self):
        self.server.close()
