"""A real nginx, in a folder of its own, with a gate of each kind."""

import asyncio
import contextlib
import ctypes
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import time

from tokens import ALGS, ROTATIONS

# nginx itself takes NGINX for a list of the sockets that it inherits.
NGINX = os.environ.pop("NGINX", None) or shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin") or "nginx"
PATIENCE = 20

# What stands behind every gate.
PAGE = "behind the gate\n"

CONFIGURATION = """
load_module "{module}";
worker_processes {workers};
worker_rlimit_nofile {files};
pid nginx.pid;
error_log {error_log} notice;
{main}
events {{ worker_connections {connections}; }}
http {{
    access_log off;
    client_body_temp_path {temporary}/body; proxy_temp_path {temporary}/proxy;
    fastcgi_temp_path {temporary}/fastcgi; uwsgi_temp_path {temporary}/uwsgi;
    scgi_temp_path {temporary}/scgi;
    proxy_cache_path {temporary}/cache keys_zone=keys:1m;
    keepalive_requests 100000;
    open_file_cache max=100 inactive=1h; open_file_cache_valid 1h;
    client_body_buffer_size 8k;
    {http}
    server {{
        listen unix:{folder}/socket backlog=16384;
        server_name example.com;
        root html;

        location /if {{
            auth_jwt_key_file keys.jwks;
            if ($decoded_ojwt ~ "{refuse}") {{ return 401 $decoded_ojwt; }}
            try_files /page =404;
        }}
        location /access {{
            auth_jwt realm;
            auth_jwt_key_file keys.jwks;
            auth_jwt_revocation_list_sub revoked.json;
            try_files /page =404;
        }}
        location /file {{
            auth_jwt realm;
            auth_jwt_key_file {keys}/$jwt_header_kid.jwks;
            auth_jwt_key_cache 1m;
            try_files /page =404;
        }}
        location /fetch {{
            auth_jwt realm;
            auth_jwt_key_request /keys;
            try_files /page =404;
        }}
        location /cached {{
            auth_jwt realm;
            auth_jwt_key_request /keys;
            auth_jwt_key_cache 1s;
            try_files /page =404;
        }}
        location /if_cached {{
            auth_jwt_key_request /keys;
            auth_jwt_key_cache 1s;
            if ($decoded_ojwt ~ "{refuse}") {{ return 401 $decoded_ojwt; }}
            try_files /page =404;
        }}
        location /kept {{
            auth_jwt realm;
            auth_jwt_key_request /kept_keys;
            auth_jwt_key_cache 1s;
            try_files /page =404;
        }}
        location /nested {{
            auth_jwt realm;
            auth_jwt_type nested;
            auth_jwt_key_file decryption.jwks;
            try_files /page =404;
        }}
        location /encrypted {{
            auth_jwt realm;
            auth_jwt_type encrypted;
            auth_jwt_key_file decryption.jwks;
            try_files /page =404;
        }}
        location /upload {{
            auth_jwt realm;
            auth_jwt_key_file keys.jwks;
            proxy_pass http://127.0.0.1:{application};
        }}

        proxy_connect_timeout {timeout};
        proxy_read_timeout {timeout};
        proxy_http_version 1.1;
        location = /keys {{
            internal;
            proxy_pass http://127.0.0.1:{endpoint}/keys;
        }}
        location = /kept_keys {{
            internal;
            proxy_pass http://127.0.0.1:{endpoint}/keys;
            proxy_cache keys;
            proxy_cache_key keys;
            proxy_cache_valid 200 1s;
            proxy_cache_use_stale error timeout invalid_header updating http_500 http_502 http_503 http_504;
            proxy_cache_background_update on;
        }}
        {server}
    }}
}}
"""


def options():
    """What this nginx was configured with."""
    return subprocess.run([NGINX, "-V"], capture_output=True, text=True).stderr


def adopt_orphans():
    """Has this process be the parent of an nginx that went into the background, so that none is left."""
    set_child_subreaper = 36
    ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0)


def children(pid):
    try:
        return [int(word) for word in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def is_alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def status_of(pid, name):
    """A figure of /proc/PID/status, in kilobytes if it is memory."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(rf"^{name}:\s+(\d+)", text, re.M).group(1))


async def until(condition, what, patience=PATIENCE):
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"waited in vain for {what}")
        await asyncio.sleep(0.005)


class Nginx:
    def __init__(self, folder, module, tokens, endpoint, application, **words):
        self.folder = pathlib.Path(folder)
        self.tokens = tokens
        self.environment = words.pop("environment", {})
        self.words = {
            "module": module, "folder": folder, "endpoint": endpoint.port, "application": application.port,
            "main": "", "http": "", "server": "", "keys": "keys", "temporary": "tmp", "error_log": "error.log",
            "connections": 2000, "files": 8000, "timeout": "5s", "workers": 2, "refuse": "^fail",
        } | words  # fmt: skip
        self.socket = str(self.folder / "socket")

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def replace(self, name, text):
        """As an operator should: a new file is renamed over the old one."""
        os.replace(self.write(f"{name}.new", text), self.folder / name)

    def configure(self, more=""):
        self.write("nginx.conf", CONFIGURATION.format(**self.words) + more)

    def prepare(self):
        self.folder.chmod(0o755)
        for name in ("tmp", "html"):
            (self.folder / name).mkdir()
        self.write("html/page", PAGE)
        self.write("keys.jwks", self.tokens.key_set())
        self.write("decryption.jwks", self.tokens.decryption_key_set())
        self.write("revoked.json", '{"thief": null}')
        self.write_keys()
        self.configure()

    def write_keys(self):
        folder = pathlib.Path(self.folder / self.words["keys"])
        folder.mkdir(exist_ok=True)
        for name in (*ALGS, *(f"rotation {number}" for number in range(ROTATIONS))):
            (folder / f"{name}.jwks").write_text(self.tokens.key_set(name))

    async def start(self):
        self.prepare()
        command = [NGINX, "-p", str(self.folder), "-c", "nginx.conf", "-e", "error.log"]
        environment = os.environ | self.environment
        process = await asyncio.create_subprocess_exec(
            *command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        _, said = await process.communicate()
        if process.returncode != 0:
            raise SystemExit(f"ojwt: nginx did not start: {said.decode()}")
        await until(lambda: self.master() and len(self.workers()) == self.words["workers"], "its workers")
        return self

    def master(self):
        try:
            return int((self.folder / "nginx.pid").read_text())
        except (OSError, ValueError):
            return None

    def workers(self, master=None):
        """The workers, without cache managers and new masters, and without those that are leaving."""
        found = []
        for pid in children(master or self.master()):
            try:
                title = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").strip()
            except OSError:
                continue
            if title == b"nginx: worker process":
                found.append(pid)
        return found

    def signal(self, name, pid=None):
        os.kill(pid or self.master(), getattr(signal, f"SIG{name}"))

    async def reload(self):
        """Has it read its configuration anew, and waits until the old workers are gone."""
        old = children(self.master())
        self.signal("HUP")
        await until(lambda: len(self.workers()) == 2 and not set(self.workers()) & set(old), "new workers")
        await until(lambda: not any(map(is_alive, old)), "the end of the old workers")

    def log(self):
        """The error log, with those that were renamed."""
        path = self.folder / self.words["error_log"]
        return "".join(log.read_text(errors="replace") for log in sorted(path.parent.glob("error.log*")))

    def descriptors(self):
        """How many descriptors its workers have open."""
        return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in self.workers())

    def resident(self):
        """Kilobytes of memory of its workers."""
        return sum(status_of(pid, "VmRSS") for pid in self.workers())

    async def stop(self):
        """Ends it, whatever became of it: all that this process started, or adopted, and what they did."""
        for name in ("QUIT", "TERM", "KILL"):
            for pid in self.processes():
                with contextlib.suppress(ProcessLookupError):
                    self.signal(name, pid)
            try:
                await until(lambda: not self.processes(), "the end of nginx", 5)
                return
            except TimeoutError:
                continue

    def processes(self):
        """Those whose working folder or command line is this nginx's."""
        reap()
        found, queue = [], children(os.getpid())
        while queue:
            pid = queue.pop()
            queue += children(pid)
            if is_alive(pid) and is_nginx(pid):
                found.append(pid)
        return found


def is_nginx(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"nginx:")
    except OSError:
        return False


def reap():
    """Lets go of adopted processes that have ended."""
    for pid in children(os.getpid()):
        if not is_alive(pid):
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def raise_descriptors(wanted):
    """Raises the limit of open files; says how many may be open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limits in ((wanted, max(hard, wanted)), (hard, hard)):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            break
        except (ValueError, OSError):
            continue
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
