#!/usr/bin/env python3
"""Instructions a request, counted by callgrind: steadier than seconds.

    benches/instructions.py MODULE [WORD...]    prints a table, of workloads that hold a word if given
        --functions    shows what each function takes, too
        --check        holds those that need no cryptography, which differs between machines, against
                       benches/instructions.json: fails, naming what grew, if one takes over 5 % more
        --save         writes that file; with words, what they name

A worker runs each workload twice, with different numbers of requests; the difference is what the
requests took. Tokens are made by dist/otools, or what OTOOLS names.
"""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUDGET = ROOT / "benches" / "instructions.json"
OTOOLS = os.environ.get("OTOOLS", str(ROOT / "dist" / "otools"))
# nginx itself takes NGINX for a list of the sockets that it inherits.
NGINX = os.environ.pop("NGINX", "nginx")
TOLERANCE, SLACK = 1.05, 60
ADDRESS = ("127.0.0.1", 18997)
FEW, MANY = 300, 1300
NAMED_KEYS = (1, 1_000)

CONFIGURATION = """
load_module "{module}";
daemon off; master_process off; pid nginx.pid; error_log error.log warn;
events {{ worker_connections 64; }}
http {{
    access_log off; keepalive_requests 1000000;
    client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4;
    scgi_temp_path t5;
    {http}
    server {{
        listen {host}:{port};
        root html;
        {server}
    }}
}}
"""


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


class Bench:
    def __init__(self, module, folder):
        self.module, self.folder = module, pathlib.Path(folder)
        self.folder.chmod(0o755)
        (self.folder / "html").mkdir()
        (self.folder / "html" / "page").write_text("content\n")
        self.tokens = {}
        self.key_sets()
        for alg in ["RS256", "ES256", "EdDSA"]:
            private, public = self.folder / f"{alg}.key", self.folder / f"{alg}.pem"
            run(OTOOLS, "make_priv_key", "-o", str(private), "--alg", alg)
            run(OTOOLS, "make_pub_key", "-i", str(private), "-o", str(public))
        (self.folder / "HS256.pem").write_text(
            json.dumps({"kty": "oct", "alg": "HS256", "k": "Bwcf" * 11})
        )
        (self.folder / "HS256.key").write_bytes((self.folder / "HS256.pem").read_bytes())
        (self.folder / "HS256.key").chmod(0o600)

    def key_sets(self):
        """Sets of one key and of a thousand, all with names; the last, alike in both, makes the tokens."""
        for count in NAMED_KEYS:
            keys = [
                {"kty": "oct", "alg": "HS256", "kid": f"key {number}", "k": f"{number:08}" + "Bwcf" * 9}
                for number in range(NAMED_KEYS[-1] - count, NAMED_KEYS[-1])
            ]
            (self.folder / f"{count}.jwks").write_text(json.dumps({"keys": keys}))
        (self.folder / "named.key").write_text(json.dumps(keys[-1]))
        (self.folder / "named.key").chmod(0o600)

    def token(self, alg, index=0, filler=0, key=None):
        name = key or alg
        command = [OTOOLS, "encode", "-k", str(self.folder / f"{name}.key"), "--alg", alg]
        command += ["-m", f"message {index}", "-h", "example.com", "--exp", "+1d"]
        if filler:
            command += ["--claim", "filler=" + "x" * filler]
        made = (name, index, filler)
        if made not in self.tokens:
            self.tokens[made] = run(*command)
        return self.tokens[made]

    def measure(self, server, requests, http=""):
        """Instructions a request, in all and by function."""
        totals = []
        for count in (FEW, MANY):
            totals.append(self.run(server, [requests(i) for i in range(count)], http))
        (few, few_by), (many, many_by) = totals
        span = MANY - FEW
        functions = {
            name: (cost - few_by.get(name, 0)) / span
            for name, cost in many_by.items()
            if cost - few_by.get(name, 0) > span
        }
        return (many - few) / span, functions

    def run(self, server, requests, http):
        configuration = CONFIGURATION.format(
            module=self.module, host=ADDRESS[0], port=ADDRESS[1], server=server, http=http
        )
        (self.folder / "nginx.conf").write_text(configuration)
        output = self.folder / "callgrind.out"
        output.unlink(missing_ok=True)
        command = ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={output}"]
        command += [NGINX, "-p", str(self.folder), "-c", "nginx.conf", "-e", "error.log"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as nginx:
            try:
                self.drive(nginx, requests)
            finally:
                self.end(nginx)
        return self.read(output)

    @staticmethod
    def end(nginx):
        """Ends it: a signal that comes just before nginx waits for events is not seen until the next."""
        for _ in range(60):
            nginx.send_signal(signal.SIGTERM)
            try:
                nginx.wait(timeout=0.5)
                return
            except subprocess.TimeoutExpired:
                pass
        nginx.kill()

    def drive(self, nginx, requests):
        deadline = time.monotonic() + 60
        while True:
            try:
                connection = socket.create_connection(ADDRESS, timeout=60)
                break
            except OSError:
                if nginx.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"nginx did not start: {nginx.stderr.read().decode()}")
                time.sleep(0.05)
        with connection:
            answers = connection.makefile("rb")
            # One at a time, so that each is read and written by itself.
            for request in requests:
                connection.sendall(request)
                length = 0
                status = answers.readline()
                if not status.startswith((b"HTTP/1.1 200", b"HTTP/1.1 401")):
                    raise SystemExit(f"unexpected answer: {status!r}")
                while (line := answers.readline()) not in (b"\r\n", b""):
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                answers.read(length)

    @staticmethod
    def read(output):
        """The total of a callgrind file, and the costs of functions themselves."""
        text = run("callgrind_annotate", "--threshold=100", "--show-percs=no", str(output))
        total = int(re.search(r"([\d,]+)\s+PROGRAM TOTALS", text).group(1).replace(",", ""))
        functions = {}
        for cost, name in re.findall(r"^\s*([\d,]+)\s+\S*?:(\S.*?)(?: \[|$)", text, re.M):
            functions[name] = functions.get(name, 0) + int(cost.replace(",", ""))
        return total, functions


def request(path, token=None):
    line = f"Authorization: Bearer {token}\r\n" if token else ""
    text = f"GET {path} HTTP/1.1\r\nHost: example.com\r\nUser-Agent: bench\r\nAccept: */*\r\n{line}\r\n"
    return text.encode()


def workloads(bench):
    """Name, the workload that it is compared with, server, http, requests."""
    plain = "location / { try_files /page =404; }"
    gate = "auth_jwt_key_file {}.pem; location / {{ auth_jwt realm; try_files /page =404; }}"
    for alg in ["RS256", "ES256", "EdDSA", "HS256"]:
        yield f"plain, {alg}", None, plain, "", lambda i, alg=alg: request("/", bench.token(alg))
    large = bench.token("RS256", 0, 500)
    yield "plain, RS256, 1.2 KB", None, plain, "", lambda i: request("/", large)
    constant = (
        "location / { if ($constant ~ ^fail) { return 401; } try_files /page =404; }",
        'map $http_host $constant { default "{}"; }',
    )
    yield "plain, if", None, *constant, lambda i: request("/", bench.token("RS256"))
    for alg in ["RS256", "ES256", "EdDSA", "HS256"]:
        yield (
            f"auth_jwt, {alg}, remembered",
            f"plain, {alg}",
            gate.format(alg),
            "",
            lambda i, alg=alg: request("/", bench.token(alg)),
        )
    yield (
        "auth_jwt, RS256, remembered, 1.2 KB",
        "plain, RS256, 1.2 KB",
        gate.format("RS256"),
        "",
        lambda i: request("/", large),
    )
    yield (
        "$decoded_ojwt in if, RS256, remembered",
        "plain, if",
        "auth_jwt_key_file RS256.pem; location / {"
        " if ($decoded_ojwt ~ ^fail) { return 401; } try_files /page =404; }",
        "",
        lambda i: request("/", bench.token("RS256")),
    )
    for alg in ["RS256", "ES256", "EdDSA", "HS256"]:
        yield (
            f"auth_jwt, {alg}, never seen",
            f"plain, {alg}",
            "auth_jwt_cache off; " + gate.format(alg),
            "",
            lambda i, alg=alg: request("/", bench.token(alg)),
        )
    named = bench.token("HS256", key="named")
    yield "plain, HS256, named key", None, plain, "", lambda i: request("/", named)
    for cache, kind in (("", "remembered"), ("auth_jwt_cache off; ", "never seen")):
        for count in NAMED_KEYS:
            yield (
                f"auth_jwt, HS256, {kind}, named keys: {count:,}",
                "plain, HS256, named key",
                cache + gate.format(count).replace(".pem", ".jwks"),
                "",
                lambda i: request("/", named),
            )
    refused = " error_page 401 =200 @page; location @page { auth_jwt off; try_files /page =404; }"
    malformed = bench.token("RS256").replace(".", "!")
    yield (
        "plain, refused",
        None,
        "location / { deny all; } error_page 403 =200 @page; location @page { allow all; try_files /page =404; }",
        "",
        lambda i: request("/", malformed),
    )
    yield (
        "auth_jwt, malformed",
        "plain, refused",
        gate.format("RS256") + refused,
        "",
        lambda i: request("/", malformed),
    )


def main(arguments):
    module = str(pathlib.Path(arguments[0]).resolve())
    only = [word for word in arguments[1:] if not word.startswith("--")]
    is_check = "--check" in arguments
    budget = json.loads(BUDGET.read_text()) if BUDGET.exists() else {}
    results, failures = {}, []
    with tempfile.TemporaryDirectory(prefix="ojwt-bench-") as folder:
        bench = Bench(module, folder)
        print(f"{'workload':<42} {'instructions':>12} {'more than plain':>16} {'budget':>8}")
        for name, base, server, http, requests in workloads(bench):
            if base is not None:
                if only and not any(word in name for word in only):
                    continue
                if is_check and "never seen" in name:
                    continue
            total, functions = bench.measure(server, requests, http)
            top = dict(sorted(functions.items(), key=lambda item: -item[1])[:40])
            results[name] = {"total": round(total), "functions": {k: round(v) for k, v in top.items()}}
            more = total - results[base]["total"] if base else 0
            allowed = budget.get(name, {}).get("more")
            results[name]["more"] = round(more)
            print(f"{name:<42} {total:>12.0f} {more:>16.0f} {allowed if allowed is not None else '':>8}", flush=True)
            if is_check and base and (allowed is None or more > allowed * TOLERANCE + SLACK):
                before = budget.get(name, {}).get("functions", {})
                grown = sorted(
                    ((cost - before.get(function, 0), function) for function, cost in top.items()),
                    reverse=True,
                )[:3]
                failures.append(f"{name}: {more:.0f} instructions, budget {allowed}; grew most: {grown}")
            if "--functions" in arguments:
                for function, cost in list(top.items()):
                    print(f"    {cost:>10.0f}  {function}")
    if "--save" in arguments:
        BUDGET.write_text(json.dumps({**(budget if only else {}), **results}, indent=1) + "\n")
    checked = sum(1 for result in results if is_check and results[result]["more"])
    if is_check:
        print(f"{checked - len(failures)} passed, {len(failures)} failed")
    for failure in failures:
        print(f"ojwt: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1:]))
