"""The clients, each with its version, how it is installed below target/ and how its driver is started."""

import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import broker  # noqa: E402

DRIVERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "drivers")
PYTHON = os.path.join(broker.ROOT, "target", "venv", "bin", "python")
ALL_CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
ALL_STRATEGIES = ["range", "roundrobin", "cooperative"]


class Missing(Exception):
    """A tool that this machine lacks; the text says how to get it."""


class Client:
    """`witness` is the client that sets up and contradicts; `strategies` and `static` what its groups can do."""

    codecs = ALL_CODECS
    strategies = ALL_STRATEGIES
    static = True
    witness = "confluent-kafka"

    def install(self):
        """Everything the driver needs, and nothing when it is there."""

    def command(self, address):
        raise NotImplementedError


class Kcat(Client):
    name = "kcat"

    @property
    def version(self):
        said = subprocess.run(["kcat", "-V"], stdout=subprocess.PIPE, text=True).stdout
        return re.search(r"Version (\S+) .*librdkafka (\S+)", said)[1]

    def command(self, address):
        return [sys.executable, os.path.join(DRIVERS, "kcat.py"), address]


class Package(Client):
    """A library from PyPI, in a virtual environment."""

    def __init__(self, name, version, driver, needs=(), witness=Client.witness, strategies=ALL_STRATEGIES):
        self.name, self.version, self.driver, self.needs = name, version, driver, needs
        self.witness, self.strategies = witness, strategies

    def install(self):
        wanted = [f"{self.name}=={self.version}", *self.needs]
        if not os.path.exists(PYTHON):
            # The system's Python: one that was started from another environment would leave its mark.
            subprocess.run(["/usr/bin/python3", "-m", "venv", os.path.dirname(os.path.dirname(PYTHON))], check=True)
        have = subprocess.run([PYTHON, "-m", "pip", "freeze", "-q"], stdout=subprocess.PIPE, text=True).stdout
        if not set(wanted) <= set(have.splitlines()):
            subprocess.run([PYTHON, "-m", "pip", "install", "-q", "--disable-pip-version-check", *wanted], check=True)

    def command(self, address):
        return [PYTHON, os.path.join(DRIVERS, self.driver), address]


CODECS_FOR_PYTHON = ["lz4==4.4.5", "python-snappy==0.7.3", "zstandard==0.25.0"]
CLIENTS = [
    Kcat(),
    Package("confluent-kafka", "2.16.1", "confluent.py", witness="kafka-python"),
    Package("kafka-python", "3.0.12", "kafka_python.py", CODECS_FOR_PYTHON),
]
BY_NAME = {client.name: client for client in CLIENTS}
