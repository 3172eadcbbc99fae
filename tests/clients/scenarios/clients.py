"""The clients, each with its version, how it is installed below target/ and how its driver is started."""

import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import apache_kafka  # noqa: E402
import broker  # noqa: E402

DRIVERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "drivers")
PYTHON = os.path.join(broker.ROOT, "target", "venv", "bin", "python")
BUILT = os.path.join(broker.ROOT, "target", "clients")
GO_OLDEST = "1.21"
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

    def install(self):
        need("kcat", "apt install kcat")

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


class Kafkajs(Client):
    name, version = "kafkajs", "2.2.4"
    source = os.path.join(DRIVERS, "kafkajs")
    place = os.path.join(BUILT, "kafkajs")
    strategies = ["roundrobin"]
    static = False

    def install(self):
        need("npm", "apt install nodejs npm")
        if not same(os.path.join(self.source, "package-lock.json"), os.path.join(self.place, "installed")):
            shutil.rmtree(self.place, ignore_errors=True)
            os.makedirs(self.place)
            for name in ("package.json", "package-lock.json"):
                shutil.copy(os.path.join(self.source, name), self.place)
            run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=self.place)
            shutil.copy(os.path.join(self.source, "package-lock.json"), os.path.join(self.place, "installed"))

    def command(self, address):
        return ["env", f"NODE_PATH={self.place}/node_modules", "node", os.path.join(self.source, "driver.js"), address]


class FranzGo(Client):
    name = "franz-go"
    source = os.path.join(DRIVERS, "franz-go")
    program = os.path.join(BUILT, "franz-go-driver")

    @property
    def version(self):
        with open(os.path.join(self.source, "go.mod")) as file:
            return re.search(r"twmb/franz-go v(\S+)", file.read())[1]

    def install(self):
        need("go", f"a toolchain from go.dev, or any go >= {GO_OLDEST} (Debian 12's is older), which gets the one that"
             " go.mod names")
        said = subprocess.run(["go", "version"], stdout=subprocess.PIPE, text=True, cwd=broker.ROOT).stdout
        have = re.search(r"go(\d+)\.(\d+)", said)
        if tuple(map(int, have.groups())) < tuple(map(int, GO_OLDEST.split("."))):
            raise Missing(f"{have[0]} is too old: go >= {GO_OLDEST} gets the toolchain that go.mod names")
        run(["go", "build", "-mod=readonly", "-o", self.program, "."], cwd=self.source)

    def command(self, address):
        return [self.program, address]


class Java(Client):
    name = "java"
    version = apache_kafka.version()
    source = os.path.join(DRIVERS, "java")
    place = os.path.join(BUILT, "java")

    def install(self):
        need("mvn", "apt install maven default-jdk-headless")
        need("javac", "apt install default-jdk-headless")
        jars = os.path.join(apache_kafka.libs(), "*")
        sources = [os.path.join(self.source, name) for name in sorted(os.listdir(self.source))]
        run(["javac", "-XDsuppressNotes", "-d", self.place, "-cp", jars, *sources])

    def command(self, address):
        return ["java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                f"-Dlog4j2.configurationFile={apache_kafka.LOG4J}",
                "-cp", f"{self.place}:{os.path.join(apache_kafka.LIBS, '*')}", "Driver", address]


class Rdkafka(Client):
    name = "rdkafka"
    source = os.path.join(DRIVERS, "rdkafka")
    place = os.path.join(BUILT, "rdkafka")

    @property
    def version(self):
        with open(os.path.join(self.source, "Cargo.lock")) as file:
            return re.search(r'name = "rdkafka"\nversion = "(.+)"', file.read())[1]

    def install(self):
        need("cargo", "rustup.rs")
        need("make", "apt install make")
        need("g++", "apt install g++")
        run(["cargo", "build", "-q", "--locked", "--target-dir", self.place], cwd=self.source)

    def command(self, address):
        return [os.path.join(self.place, "debug", "rdkafka-driver"), address]


def need(program, how):
    if shutil.which(program) is None:
        raise Missing(f"no {program} here: {how}")


def run(command, **options):
    subprocess.run(command, check=True, stdout=sys.stderr, **options)


def same(one, other):
    """Of two files, of which either may be missing."""
    try:
        with open(one) as wanted, open(other) as have:
            return wanted.read() == have.read()
    except FileNotFoundError:
        return False


CODECS_FOR_PYTHON = ["lz4==4.4.5", "python-snappy==0.7.3", "zstandard==0.25.0"]
# The slowest first, since several run at once.
CLIENTS = [
    Java(),
    Package("kafka-python", "3.0.12", "kafka_python.py", CODECS_FOR_PYTHON),
    Rdkafka(),
    Package("confluent-kafka", "2.16.1", "confluent.py", witness="kafka-python"),
    FranzGo(),
    Kcat(),
    Kafkajs(),
]
BY_NAME = {client.name: client for client in CLIENTS}
