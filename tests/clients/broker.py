"""A real broker for client suites: started on free ports, awaited with a deadline, ended by its own id."""

import os
import random
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
READY = re.compile(r"ottla ready: kafka (\S+), admin (\S+), data (.+), (\d+) shards?, durability (\S+)")
READY_SECONDS_MAX = 120
STOP_SECONDS_MAX = 60
# What the binary is built of.
SOURCES = ["src", "schemas", "Cargo.toml", "Cargo.lock"]
ANSWER_SECONDS_MAX = 5
METADATA = 3
# Also where the broker itself would take one: most requests of clients then cross from core to core.
SHARDS = "2"


def binary():
    path = os.environ.get("OTTLA_BINARY", os.path.join(ROOT, "target", "release", "ottla"))
    if not os.path.exists(path):
        raise SystemExit(f"there is no {path}: cargo build --release")
    return path


def commit():
    """The commit that changed the broker last, with `+` when its sources differ from it. Empty when the binary is not
    built of it: older, or from elsewhere."""
    last, _, seconds = git("log", "-1", "--format=%h %ct", "--abbrev=12", "--", *SOURCES).partition(" ")
    if not last or "OTTLA_BINARY" in os.environ or os.path.getmtime(binary()) < int(seconds):
        return ""
    return last + ("+" if git("status", "--porcelain", "--", *SOURCES) else "")


def git(*arguments):
    """What git says; nothing where the tree is not a clone."""
    return subprocess.run(["git", *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True).stdout.strip()


def directory(name):
    """A fresh directory on the file system of the build, because tmpfs has no direct I/O."""
    path = os.path.join(ROOT, "target", "tmp", f"{name}-{os.getpid()}")
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    return path


def free_address(host="127.0.0.1"):
    """A free port that no outgoing connection is given: a client that dials it while the broker is down could
    otherwise be connected with itself, and keep the broker from coming back."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind((host, port))
                return f"{host}:{port}"
            except OSError:
                continue


def answers(address):
    """Metadata v0 names a broker: sockets are open earlier than that."""
    host, port = address.rsplit(":", 1)
    try:
        with socket.create_connection((host, int(port)), timeout=ANSWER_SECONDS_MAX) as connection:
            request = struct.pack(">hhihi", METADATA, 0, 1, -1, 0)
            connection.sendall(struct.pack(">i", len(request)) + request)
            answer = connection.recv(12, socket.MSG_WAITALL)
    except OSError:
        return False
    return len(answer) == 12 and struct.unpack(">iii", answer)[2] > 0


class Server:
    """One process on one data directory. After `kill` or `stop`, `start`, which a subclass has, runs the next life."""

    # What it exits with after SIGTERM.
    terminated = 0

    def __init__(self, path, listen=None):
        self.path = path
        self.listen = listen or free_address()
        self.process = None
        self.lives = 0

    def prepare(self):
        """What comes before the first start and is no part of it."""

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(STOP_SECONDS_MAX)
        assert code == self.terminated, f"SIGTERM: exit code {code}; see {self.path}"

    def alive(self):
        return self.process.poll() is None

    def memory_kib(self, field="VmHWM"):
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith(field))

    def __enter__(self):
        return self.start()

    def __exit__(self, failure, *_):
        if self.process is not None and self.alive():
            self.kill()
        if failure is None:
            shutil.rmtree(self.path, ignore_errors=True)
        else:
            print(f"failed; logs and data are kept in {self.path}")


class Broker(Server):
    """An ottla with these arguments."""

    def __init__(self, path, *arguments, listen=None):
        super().__init__(path, listen)
        self.arguments = list(arguments)

    def start(self):
        self.lives += 1
        log = open(os.path.join(self.path, f"log.{self.lives}"), "wb")
        self.process = subprocess.Popen(
            [binary(), "serve", "--data", os.path.join(self.path, "data"), "--listen", self.listen,
             "--admin", "127.0.0.1:0", *self.arguments],
            stdout=subprocess.PIPE, stderr=log, env={"OTTLA_SHARDS__COUNT": SHARDS, **os.environ})
        log.close()
        match = READY.match(self._line(time.monotonic() + READY_SECONDS_MAX))
        if match is None:
            raise AssertionError(f"not the ready line; see {self.path}")
        self.address, self.admin = match.group(1), match.group(2)
        return self

    def _line(self, deadline):
        line = b""
        while not line.endswith(b"\n"):
            wait = deadline - time.monotonic()
            if wait <= 0 or not select.select([self.process.stdout], [], [], wait)[0]:
                raise AssertionError(f"no ready line within {READY_SECONDS_MAX} s; see {self.path}")
            piece = os.read(self.process.stdout.fileno(), 4096)
            if not piece:
                raise AssertionError(f"ended with {self.process.wait()} before it was ready; see {self.path}")
            line += piece
        return line.decode()

    def metric(self, name):
        """Sum over all label sets of one metric."""
        with urllib.request.urlopen(f"http://{self.admin}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        found = [line for line in lines if re.match(re.escape(name) + r"[ {]", line)]
        assert found, f"no metric {name}"
        return sum(float(line.rsplit(" ", 1)[1]) for line in found)
