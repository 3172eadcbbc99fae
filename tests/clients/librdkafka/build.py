"""librdkafka's own programs, built from the source that comes with the crate `rdkafka-sys`."""

import glob
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import broker  # noqa: E402
import suite  # noqa: E402

CRATE = "4.10.0"
VERSION = "2.12.1"
TARGET = os.path.join(broker.ROOT, "target", "clients", "librdkafka")
LIBRARY = os.path.join("src", "librdkafka.a")


def program(folder, name):
    """The folder of all sources, in which this program of one folder of them is built."""
    source = os.path.join(TARGET, "source")
    if os.path.exists(os.path.join(source, folder, name)):
        return source
    os.makedirs(TARGET, exist_ok=True)
    commands = [["make", "-j2", "-C", folder, name]]
    if not os.path.exists(os.path.join(source, LIBRARY)):
        shutil.copytree(suite.crates(TARGET, {"rdkafka-sys": CRATE})["rdkafka-sys"] + "/librdkafka", source,
                        dirs_exist_ok=True)
        commands = [["./configure", "--disable-sasl", "--disable-curl"], ["make", "-j2", "libs"], *commands]
    flags = {**os.environ, "CPPFLAGS": f"-Wno-deprecated-declarations -I{rapidjson()}"}
    with open(os.path.join(TARGET, "build.log"), "a") as log:
        for command in commands:
            subprocess.run(command, cwd=source, env=flags, stdout=log, stderr=log, check=True)
    return source


def environment(source):
    """What its programs find the libraries by."""
    return {**os.environ, "LD_LIBRARY_PATH": f"{source}/src:{source}/src-cpp"}


def rapidjson():
    """Without these headers some tests skip themselves. The package is only unpacked."""
    headers = os.path.join(TARGET, "rapidjson", "usr", "include")
    if not os.path.exists(headers):
        subprocess.run(["apt-get", "download", "-q", "rapidjson-dev"], cwd=TARGET, check=True)
        package = glob.glob(os.path.join(TARGET, "rapidjson-dev_*.deb"))[0]
        subprocess.run(["dpkg-deb", "-x", package, os.path.join(TARGET, "rapidjson")], check=True)
    return headers
