"""A service for auth_request: one process, PyJWT, no framework. `auth_request.py PORT KEYS`"""

import asyncio
import pathlib
import sys

import jwt
from cryptography.hazmat.primitives.serialization import load_pem_public_key

KEYS = pathlib.Path(sys.argv[2])
# Read once: to parse a PEM for each request would cost more than the rest.
keys = {alg: load_pem_public_key((KEYS / f"{alg}.pem").read_bytes()) for alg in ["RS256", "ES256", "EdDSA"]}
keys["HS256"] = (KEYS / "HS256.secret").read_bytes()


def status(head):
    lines = head.split("\r\n")
    alg = lines[0].split(" ")[1].rsplit("/", 1)[1]
    for line in lines[1:]:
        name, _, value = line.partition(":")
        if name.lower() == "authorization" and value.startswith(" Bearer "):
            try:
                jwt.decode(value[8:], keys[alg], algorithms=[alg], options={"require": ["exp"]})
            except jwt.InvalidTokenError:
                break
            return "204 No Content"
    return "401 Unauthorized"


class Service(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.read = transport, b""

    def data_received(self, data):
        self.read += data
        while b"\r\n\r\n" in self.read:
            head, _, self.read = self.read.partition(b"\r\n\r\n")
            length = "" if (answer := status(head.decode())).startswith("204") else "Content-Length: 0\r\n"
            self.transport.write(f"HTTP/1.1 {answer}\r\n{length}\r\n".encode())


async def main():
    server = await asyncio.get_running_loop().create_server(Service, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


asyncio.run(main())
