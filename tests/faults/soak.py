"""Watches the memory of nginx, and draws it: `python3 tests/faults/soak.py MODULE`.

- the worker's, over REQUESTS requests (100,000 if unset), good and bad, at a gate of each kind;
- the worker's, over ROTATIONS rotations of a key (3,000 if unset), in a file that a variable names and at
  the endpoint that `auth_jwt_key_request` asks, each with requests that need the new key and bring the old;
- the master's, over RELOADS reloads (3,000 if unset), beside that of nginx without the module.

It fails if a worker grows by more than a tenth after the first fifth, when its caches are full, or if the
master grows by more for each reload than that of nginx alone and 64 bytes. It writes
benches/results/memory.json, docs/memory.svg and, between its markers, docs/reliability.md; `--draw` writes
the latter two again.
"""

import argparse
import asyncio
import contextlib
import json
import os
import pathlib
import secrets
import tempfile

import picture
from document import DOCS, put_between
from endpoint import Application, Endpoint
from load import GATES, Client, Load, Tally
from server import PAGE, Nginx, adopt_orphans, children, status_of, until
from tokens import ROOT, Tokens, compact, encoded, mac

REQUESTS = int(os.environ.get("REQUESTS", 100_000))
ROTATIONS = int(os.environ.get("ROTATIONS", 3_000))
RELOADS = int(os.environ.get("RELOADS", 3_000))
RESULT = ROOT / "benches" / "results" / "memory.json"
SAMPLES = 50
# What a reload may add to the master beyond what it adds to that of nginx alone, in bytes.
SLACK = 64
# Small, so that it is full soon.
CACHE = "auth_jwt_cache 256k;"

PLAIN = """
worker_processes 1; pid nginx.pid; error_log error.log notice;
events {{ worker_connections 2000; }}
http {{
    access_log off;
    client_body_temp_path tmp/body; proxy_temp_path tmp/proxy; fastcgi_temp_path tmp/fastcgi;
    uwsgi_temp_path tmp/uwsgi; scgi_temp_path tmp/scgi; proxy_cache_path tmp/cache keys_zone=keys:1m;
    server {{
        listen unix:{folder}/socket;
        root html;
        # nginx with PCRE2 keeps 72 bytes for each reload of a configuration with a regular expression.
        if ($uri ~ "^fail.*") {{ return 401; }}
{locations}
    }}
}}
"""


def private(pid):
    """Kilobytes of memory that no file holds."""
    return status_of(pid, "RssAnon")


class Soak:
    def __init__(self, module, folder):
        self.module, self.folder = module, pathlib.Path(folder)
        (self.folder / "tokens").mkdir()
        self.tokens = Tokens(self.folder / "tokens")
        self.series, self.failures = {}, []

    @contextlib.asynccontextmanager
    async def nginx(self, name, **words):
        folder = self.folder / name
        folder.mkdir()
        self.endpoint, application = Endpoint(self.tokens.key_set()), await Application(PAGE).start()
        nginx = Nginx(folder, self.module, self.tokens, self.endpoint, application, workers=1, http=CACHE, **words)
        self.folder.chmod(0o755)
        try:
            yield await nginx.start()
        finally:
            await nginx.stop()
            await self.endpoint.close()
            application.close()

    def note(self, name, count, kilobytes):
        self.series.setdefault(name, []).append((count, kilobytes))

    def expect(self, condition, what):
        if not condition:
            self.failures.append(what)
            print(f"ojwt: {what}", flush=True)

    def is_steady(self, name):
        """Whether it has not grown by more than a tenth after the first fifth."""
        samples = self.series[name]
        first, last = samples[len(samples) // 5][1], samples[-1][1]
        print(f"ojwt: {name}: {first} kB after a fifth, {last} kB in the end", flush=True)
        self.expect(last <= first * 1.1, f"{name} has grown by more than a tenth")

    async def requests(self):
        name = "worker, over requests"
        async with self.nginx("requests") as nginx:
            worker, tally = nginx.workers()[0], Tally()
            async with Load(nginx, self.tokens, tally, GATES, clients=16, pause=0):
                for sample in range(SAMPLES + 1):
                    goal = REQUESTS * sample // SAMPLES
                    await until(lambda: tally.sent >= goal, "the requests", 600)
                    self.note(name, goal, private(worker))
            self.expect(not tally.let_in, f"{len(tally.let_in)} bad tokens let in")
            self.expect(not tally.needless, f"{len(tally.needless)} good tokens refused: {tally.needless[:3]}")
            self.expect(nginx.workers() == [worker], "the worker is another")
        self.is_steady(name)

    async def rotations(self):
        name = "worker, over key rotations"
        async with self.nginx("rotations") as nginx:
            worker, client, last = nginx.workers()[0], Client(nginx.socket), None
            for number in range(ROTATIONS + 1):
                secret = secrets.token_bytes(32)
                key = {"kty": "oct", "alg": "HS256", "kid": "HS256", "k": encoded(secret)}
                nginx.replace("keys/HS256.jwks", json.dumps({"keys": [key]}))
                self.endpoint.body = json.dumps({"keys": [key]}).encode()
                new = compact({"alg": "HS256", "kid": "HS256"}, self.tokens.claims(), mac(secret))
                for gate in ("file", "fetch"):
                    for token, expected in ((new, 200), (last, 401)):
                        status, _ = await client.ask(f"/{gate}", token)
                        if status != expected:
                            self.expect(False, f"rotation {number}: {status} at /{gate}, not {expected}")
                last = new
                if number % max(1, ROTATIONS // SAMPLES) == 0:
                    self.note(name, number, private(worker))
            client.close()
            self.expect(nginx.workers() == [worker], "the worker is another")
        self.is_steady(name)

    async def reloads(self):
        names = {"ojwt": "master with ojwt, over reloads", "plain": "master of nginx alone, over reloads"}
        growth = {}
        for kind, name in names.items():
            async with self.nginx(kind) as nginx:
                if kind == "plain":
                    await self.without_module(nginx)
                master = nginx.master()
                for number in range(RELOADS + 1):
                    if number % max(1, RELOADS // SAMPLES) == 0:
                        self.note(name, number, private(master))
                    old = nginx.workers()
                    nginx.signal("HUP")
                    await until(lambda: set(nginx.workers()) - set(old), "a new worker")
                    await until(lambda: len(children(master)) <= 4, "the end of old workers")
                if kind == "ojwt":
                    status, _ = await Client(nginx.socket).ask("/if", self.tokens.good[0].token)
                    self.expect(status == 200, f"{status} after the reloads")
            samples = self.series[name]
            start = samples[len(samples) // 5]
            growth[kind] = (samples[-1][1] - start[1]) * 1024 / (samples[-1][0] - start[0])
            print(f"ojwt: {name}: {start[1]} kB after a fifth, {samples[-1][1]} kB in the end:"
                  f" {growth[kind]:.0f} bytes a reload", flush=True)  # fmt: skip
        self.growth = growth
        self.expect(growth["ojwt"] <= growth["plain"] + SLACK, "the master grows by more than that of nginx alone")

    async def without_module(self, nginx):
        """Starts it anew with the same locations, and nothing of the module."""
        await nginx.stop()
        locations = "\n".join(f"        location /{gate} {{ try_files /page =404; }}" for gate in GATES)
        nginx.configure = lambda: nginx.write("nginx.conf", PLAIN.format(folder=nginx.folder, locations=locations))
        for name in ("tmp", "html"):
            os.rename(nginx.folder / name, nginx.folder / f"{name}.old")
        await nginx.start()


def write(report):
    """The picture, and what the document says of it."""
    (DOCS / "memory.svg").write_text(picture.draw(report["series"]))
    lines = ["| | after a fifth | in the end |", "| --- | ---: | ---: |"]
    for name, samples in report["series"].items():
        (count, first), (most, last) = samples[len(samples) // 5], samples[-1]
        words = name.split(", over ")
        lines.append(f"| {words[0]} | {first:,} kB, {count:,} {words[1]} | {last:,} kB, {most:,} {words[1]} |")
    put_between("<!-- memory: written by scripts/measure/soak -->\n", "<!-- end of memory -->\n", lines)


async def soak(module):
    adopt_orphans()
    with tempfile.TemporaryDirectory(prefix="ojwt-soak-") as folder:
        soak = Soak(str(pathlib.Path(module).resolve()), folder)
        await soak.requests()
        await soak.rotations()
        await soak.reloads()
    growth = {kind: round(bytes_) for kind, bytes_ in soak.growth.items()}
    report = {"unit": "kB", "bytes a reload": growth, "series": soak.series}
    RESULT.write_text(json.dumps(report) + "\n")
    write(report)
    if soak.failures:
        raise SystemExit("ojwt: memory is not as it should be")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("module", nargs="?")
    parser.add_argument("--draw", action="store_true")
    chosen = parser.parse_args()
    if chosen.draw:
        write(json.loads(RESULT.read_text()))
    elif chosen.module:
        asyncio.run(soak(chosen.module))
    else:
        parser.error("a module is missing")
