#!/usr/bin/env python3
"""What grows with what: keys, remembered tokens, their length, revocations, workers; and memory.

    benches/scale.py MODULE [--seconds N] [--rounds N] [--only WORD] [--out FOLDER]

Each part compares two or more configurations of nginx, which take turns, a slice of seconds each, and
the whole is repeated for rounds, as benches/servers.py does. A worker is new before each slice of tokens
never seen. It writes performance.md between its markers to docs/, and scale.json to benches/results/; with
--out both to that folder.
"""

import argparse
import base64
import collections
import contextlib
import json
import os
import pathlib
import re
import secrets
import signal
import statistics
import sys
import tempfile
import time

import servers
from servers import Server, Tokens, as_json, measure, put, range_of, run, short, spread, status, warm

KEYS = 1_000
MANY_TOKENS, CACHE = 100_000, "200m"
# Bytes of a claim that makes a token 8 KB long, with a signature of 256 or 32 bytes.
FILLER = {"RS256": 5_660, "HS256": 5_880}
REVOKED = 1_000_000
STARTS = 5
MEMORY = ("Rss", "Pss", "Private")
PARTS = ("keys", "cache", "large", "revocations", "workers", "memory")
TITLES = {
    "keys": f"A key, and {KEYS:,} with names of which the token names the last",
    "cache": "Tokens that are remembered",
    "large": "Tokens of 8 KB",
    "revocations": f"A revocation list of {REVOKED:,} entries",
    "workers": "Workers: processor time a request",
    "workers, requests": "Workers: requests a second",
    "memory": "Memory",
}
# Enough tokens for a slice of a second. Those of 8 KB come slower.
NEW = {"RS256": 60_000, "HS256": 160_000, "large RS256": 40_000, "large HS256": 60_000}

CONFIGURATION = """
{load}
daemon off;
worker_processes {workers};
worker_cpu_affinity {affinity};
pid nginx.pid;
error_log error.log error;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests 100000000;
    large_client_header_buffers 4 16k;
    default_type text/plain;
    root html;
    server {{
        listen 127.0.0.1:{port}{reuseport};
        location /plain {{ try_files /page =404; }}
{locations}
    }}
}}
"""
LOCATION = "        location /{} {{ auth_jwt bench; {} try_files /page =404; }}\n"


class Nginx(Server):
    """An nginx with a gate at each of the locations, which are directives by name."""

    def __init__(self, name, tokens, work, module, locations, workers=1):
        super().__init__(name, tokens, {"WORK": work})
        self.module, self.locations, self.workers = module, locations, workers

    def commands(self):
        text = CONFIGURATION.format(
            load=f'load_module "{self.module}";' if self.module else "",
            workers=self.workers,
            affinity="01 10" if self.workers == 2 else "01",
            reuseport=" reuseport" if self.workers > 1 else "",
            port=self.port,
            locations="".join(LOCATION.format(*item) for item in self.locations.items()),
        )
        (self.folder / "scale.conf").write_text(text)
        return [self.nginx("scale.conf")]

    def restart(self):
        self.stop()
        self.start()

    def pids(self):
        """Its workers."""
        master = self.processes[0].pid
        return [int(pid) for pid in pathlib.Path(f"/proc/{master}/task/{master}/children").read_text().split()]

    def memory(self):
        """Megabytes of its first worker, by what they are."""
        text = pathlib.Path(f"/proc/{self.pids()[0]}/smaps_rollup").read_text()
        sizes = {name: int(size) / 1024 for name, size in re.findall(r"^(\w+):\s+(\d+) kB", text, re.M)}
        sizes["Private"] = sizes["Private_Clean"] + sizes["Private_Dirty"]
        return sizes

    def shared_memory(self):
        """Kilobytes that its first worker may write, and others see."""
        maps = pathlib.Path(f"/proc/{self.pids()[0]}/maps").read_text()
        found = re.findall(r"^(\w+)-(\w+) rw-s", maps, re.M)
        return sum(int(end, 16) - int(start, 16) for start, end in found) // 1024

    def check(self, path, token):
        """A good token passes, and none does not."""
        for answer, shown in ((200, token), (401, None)):
            if status(self.port, path, shown) != answer:
                raise SystemExit(f"ojwt: {self.name}: {path} does not answer {answer}")


def first(file):
    with open(file) as lines:
        return lines.readline().strip()


class Scale:
    def __init__(self, options, tokens, work):
        self.options, self.tokens, self.work = options, tokens, work
        self.module = pathlib.Path(options.module).resolve()
        self.samples, self.facts = collections.OrderedDict(), {}

    @contextlib.contextmanager
    def nginx(self, name, locations, workers=1, module=True):
        server = Nginx(name, self.tokens, self.work, self.module if module else None, locations, workers)
        server.start()
        try:
            yield server
        finally:
            server.stop()

    def note(self, part, row, value, unit="µs", base=None):
        """Keeps a sample, which is to be compared with that of the row `base`."""
        rows = self.samples.setdefault(part, collections.OrderedDict())
        rows.setdefault(row, {"unit": unit, "base": base, "samples": []})["samples"].append(value)
        print(f"  {part:<20}{row:<48}{value:12.2f} {unit}", flush=True)

    def slice(self, part, row, server, path, file, base=None, seconds=None):
        if "never seen" in row:
            server.restart()
        sample = measure(server, path, file, seconds or self.options.seconds)
        self.note(part, row, sample["cpu_us"], base=base)

    def rounds(self):
        for number in range(self.options.rounds):
            print(f"ojwt: round {number + 1} of {self.options.rounds}", flush=True)
            yield

    def new_tokens(self, alg, **more):
        return self.tokens.make("named-new", alg, NEW[alg] * self.options.seconds, kid="last", **more)

    def keys(self):
        """One key or a thousand: the token names its key, the last."""
        part, locations, files = "keys", {}, {}
        for alg in ("HS256", "RS256"):
            files[alg] = {"remembered": self.tokens.make("named-same", alg, 1, kid="last")}
            files[alg]["never seen"] = self.new_tokens(alg)
            for count in (1, KEYS):
                file = self.tokens.folder / f"{alg}-{count}.jwks"
                file.write_text(json.dumps({"keys": list(key_set(self.tokens.folder, alg, count))}))
                locations[f"{alg}-{count}"] = f"auth_jwt_key_file {file};"
        with self.nginx(part, locations) as server:
            for path in locations:
                server.check(f"/{path}", first(files[path.split("-")[0]]["remembered"]))
            for _ in self.rounds():
                for alg, shown in files.items():
                    for kind, file in shown.items():
                        for count in (1, KEYS):
                            row = f"{alg}, {kind}, " + "keys: {:,}"
                            self.slice(part, row.format(count), server, f"/{alg}-{count}", file, row.format(1))

    def cache(self):
        """One, a thousand and a hundred thousand remembered tokens, each asked for in turn."""
        part, alg = "cache", "ES256"
        file = {count: self.tokens.make("cached", alg, count) for count in (1, 1_000, MANY_TOKENS)}
        # The slice is as long as it takes to ask for all.
        seconds = {count: self.options.seconds * (2 if count == MANY_TOKENS else 1) for count in file}
        keys = self.tokens.folder / f"{alg}.jwks"
        locations = {f"cache-{count}": f"auth_jwt_cache {CACHE}; auth_jwt_key_file {keys};" for count in file}
        with self.nginx(part, locations) as server:
            server.check("/cache-1", first(file[1]))
            for count in file:
                before = server.memory()["Rss"]
                warm(server, f"/cache-{count}", file[count])
                grown = (server.memory()["Rss"] - before) * 1024 * 1024
                if count > 1:
                    self.facts[f"cache, bytes of Rss for each of {count:,} tokens"] = round(grown / count)
            self.facts["cache, bytes of a token itself"] = len(first(file[1]))
            for _ in self.rounds():
                for count in file:
                    row = f"{alg}, {count:,} in turn, "
                    self.slice(part, row + "no gate", server, "/plain", file[count], None, seconds[count])
                    args = (server, f"/cache-{count}", file[count], row + "no gate", seconds[count])
                    self.slice(part, row + "all remembered", *args)

    def large(self):
        """Tokens of 8 KB."""
        part, locations, files = "large", {}, {}
        for alg, filler in FILLER.items():
            count = NEW[f"large {alg}"] * self.options.seconds
            files[alg] = {
                "remembered": self.tokens.make("8k-same", alg, 1, filler=filler),
                "never seen": self.tokens.make("8k-new", alg, count, filler=filler),
            }
            self.facts[f"large, bytes of a token, {alg}"] = len(first(files[alg]["remembered"]))
            locations[alg] = f"auth_jwt_key_file {self.tokens.folder}/{alg}.jwks;"
        with self.nginx(part, locations) as server:
            for alg in files:
                server.check(f"/{alg}", first(files[alg]["remembered"]))
            for _ in self.rounds():
                for alg, shown in files.items():
                    for kind, file in shown.items():
                        base = f"{alg}, {kind}, no gate"
                        self.slice(part, base, server, "/plain", file)
                        self.slice(part, f"{alg}, {kind}, auth_jwt", server, f"/{alg}", file, base)

    def revocations(self):
        """None, and a million that name other tokens."""
        part, alg = "revocations", "HS256"
        listed = self.tokens.folder / f"revoked-{REVOKED}.txt"
        if not listed.exists():
            listed.write_text("".join(f"{secrets.token_hex(16)}\n" for _ in range(REVOKED)))
        key = f"auth_jwt_key_file {self.tokens.folder}/{alg}.jwks;"
        files = {
            "remembered": self.tokens.make("named-same", alg, 1, kid="last"),
            "never seen": self.new_tokens(alg),
        }
        gates = {"no list": key, "a million": f"{key} auth_jwt_revocation_list_jti {listed};"}
        with contextlib.ExitStack() as stack:
            all_servers = {
                row: stack.enter_context(self.nginx(f"revocations-{index}", {"gate": gate}))
                for index, (row, gate) in enumerate(gates.items())
            }
            for server in all_servers.values():
                server.check("/gate", first(files["remembered"]))
            for _ in self.rounds():
                for row, server in all_servers.items():
                    began = time.perf_counter()
                    run(*server.commands()[0], "-t")
                    self.note(part, f"`nginx -t`, {row}", time.perf_counter() - began, "s")
                for kind, file in files.items():
                    for row, server in all_servers.items():
                        base = f"{alg}, {kind}, no list"
                        self.slice(part, f"{alg}, {kind}, {row}", server, "/gate", file, base)
                for row, server in all_servers.items():
                    for name in MEMORY:
                        self.note(part, f"a worker's {name}, {row}", server.memory()[name], "MB")

    def workers(self):
        """One worker and a load on one core, and two and two on both: twice of everything."""
        part, halves = "workers", {}
        cores = (servers.SERVER_CORE, servers.LOAD_CORE)
        for alg in ("HS256", "RS256"):
            half = self.new_tokens(alg).read_text().splitlines(keepends=True)
            for index, lines in enumerate((half[::2], half[1::2])):
                path = pathlib.Path(self.work) / f"{alg}-{index}.txt"
                path.write_text("".join(lines))
                halves.setdefault(alg, []).append(path)
        key = "auth_jwt_key_file {}/{}.jwks;"
        locations = {alg: key.format(self.tokens.folder, alg) for alg in halves}
        with contextlib.ExitStack() as stack:
            pair = {
                count: stack.enter_context(self.nginx(f"workers-{count}", locations, count)) for count in (1, 2)
            }
            with self.nginx("workers-plain", {}, 2, module=False) as plain:
                for name, server in (("with the gate", pair[2]), ("nginx alone", plain)):
                    self.facts[f"workers, KB of memory that they share and write, {name}"] = server.shared_memory()
            for _ in self.rounds():
                for alg, files in halves.items():
                    for path, name in (("plain", "no gate"), (alg, "never seen")):
                        for count, server in pair.items():
                            row = f"{alg}, {name}, " + "workers: {}"
                            self.beside(part, row, server, f"/{path}", files[:count], cores)

    def beside(self, part, row, server, path, files, cores):
        """A load on each of the cores, as many as there are files."""
        server.restart()
        before, seconds = server.cpu(), self.options.seconds
        # It may sleep: one that spins would take the core from the worker beside it.
        env = servers.environment()
        loads = [
            servers.load(server.port, path, file, seconds, core, env) for file, core in zip(files, cores)
        ]
        results = [servers.answers(one, seconds) for one in loads]
        used = server.cpu() - before
        row, base = row.format(len(files)), row.format(1)
        self.note(part, row, used / sum(count for count, _ in results) * 1e6, base=base)
        self.note(f"{part}, requests", row, sum(rps for _, rps in results), "a second", base)

    def memory(self):
        """A worker with a gate and an empty cache, beside one of nginx without the module."""
        key = f"auth_jwt_key_file {self.tokens.folder}/RS256.jwks;"
        gates = {"nginx alone": {}, "with a gate": {"gate": key}}
        with contextlib.ExitStack() as stack:
            all_servers = {
                row: stack.enter_context(self.nginx(f"memory-{len(gate)}", gate, module=bool(gate)))
                for row, gate in gates.items()
            }
            for _ in range(STARTS):
                self.memory_once(all_servers)

    def memory_once(self, all_servers):
        found = {}
        for row, server in all_servers.items():
            server.restart()
            for path in ("plain", *server.locations):
                status(server.port, f"/{path}", None)
            found[row] = server.memory()
        for name in MEMORY:
            for row, sizes in found.items():
                self.note("memory", f"{name} of a worker, {row}", sizes[name], "MB")
            more = found["with a gate"][name] - found["nginx alone"][name]
            self.note("memory", f"{name} of a worker, what the gate adds", more, "MB")


def key_set(folder, alg, count):
    """So many JWKs, each with a name; the last is that which signs."""
    jwk = json.loads((folder / f"{alg}.jwks").read_text())["keys"][0]
    member, size = ("k", 32) if alg == "HS256" else ("n", 256)
    for number in range(count - 1):
        value = bytearray(secrets.token_bytes(size))
        # Odd and of 2048 bits: as good as a product of primes to whoever verifies nothing with it.
        value[0] |= 128
        value[-1] |= 1
        word = base64.urlsafe_b64encode(value).decode().rstrip("=")
        yield {**jwk, "kid": f"key {number}", member: word}
    yield {**jwk, "kid": "last"}


def results(samples):
    rows = []
    for part, found in samples.items():
        for name, row in found.items():
            result = {"part": part, "row": name, "unit": row["unit"], "value": spread(row["samples"])}
            if row["base"]:
                pairs = zip(row["samples"], found[row["base"]]["samples"])
                ratios = [own / other for own, other in pairs]
                result.update(base=row["base"], of_base=round(statistics.median(ratios), 3))
            rows.append(result)
    return rows


def tables(report):
    """The report in Markdown."""
    lines = [
        f"Measured on {report['date']} in {report['minutes']} minutes; rounds: {report['rounds']}, slices of "
        f"{report['seconds']} s. × is how many times that of the row it is compared with, in the same rounds.",
    ]
    for part, title in TITLES.items():
        rows = [row for row in report["results"] if row["part"] == part]
        if not rows:
            continue
        lines += ["", f"#### {title}", "", "| | | × |", "| --- | ---: | ---: |"]
        for row in rows:
            ratio = short(row["of_base"]) if "of_base" in row and row["base"] != row["row"] else ""
            lines.append(f"| {row['row']} | {range_of(row['value'])} {row['unit']} | {ratio} |")
        facts = {name: value for name, value in report["facts"].items() if name.startswith(part)}
        if facts:
            lines += ["", *(f"- {name.split(', ', 1)[1]}: {value:,}" for name, value in facts.items())]
    return "\n".join(lines)


BEGIN, END = "<!-- scale: written by scripts/measure/bench -->", "<!-- end of scale -->"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("module")
    parser.add_argument("--seconds", type=int, default=1, help="of a slice (whole, as wrk has it)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=PARTS, help="one part; writes to target/bench")
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--redraw", action="store_true", help="tables again, from scale.json")
    options = parser.parse_args()
    out = options.out or (servers.STORE if options.only else servers.DOCS)
    if options.redraw:
        report = json.loads((servers.samples_of(out) / "scale.json").read_text())
        put(out / "performance.md", BEGIN, END, tables(report))
        return
    if (os.cpu_count() or 1) < 2:
        raise SystemExit("ojwt: two cores are needed: one for the server, one for the load")
    # So that what was started is stopped.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    tokens, started = Tokens(), time.time()
    with tempfile.TemporaryDirectory(prefix="ojwt-scale-") as work:
        os.chmod(work, 0o755)
        scale = Scale(options, tokens, work)
        for part in [options.only] if options.only else PARTS:
            print(f"ojwt: {part}", flush=True)
            getattr(scale, part)()
    report = {
        "date": time.strftime("%Y-%m-%d", time.gmtime(started)),
        "minutes": round((time.time() - started) / 60, 1),
        "seconds": options.seconds,
        "rounds": options.rounds,
        "machine": servers.machine(),
        "load_spins": servers.SPIN.exists(),
        "facts": scale.facts,
        "results": results(scale.samples),
    }
    (servers.samples_of(out) / "scale.json").write_text(as_json(report))
    put(out / "performance.md", BEGIN, END, tables(report))
    print(f"ojwt: {out}/performance.md")


if __name__ == "__main__":
    main()
