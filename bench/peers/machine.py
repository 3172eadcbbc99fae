"""What figures depend on and nobody sees in them: versions, kernel, disk, cores."""

import contextlib
import gzip
import os
import platform
import re
import subprocess

import apache_kafka
import broker

# What the kernel sets for a drive by itself, in KiB.
READ_AHEAD = "128"


def facts(directory):
    device = block_device(directory)
    return {
        "commit": output("git", "-C", broker.ROOT, "describe", "--always", "--dirty", "--abbrev=12"),
        "ottla": output(broker.binary(), "--version"),
        "kafka": apache_kafka.version(),
        "java": output("java", "--version").splitlines()[0],
        "kernel": platform.release(),
        "hz": kernel_config("CONFIG_HZ"),
        "kernel_build": platform.version(),
        "cpu": field("/proc/cpuinfo", "model name"),
        "cores": len(os.sched_getaffinity(0)),
        "pinning": "none: brokers and generator share all cores; ottla pins each shard to one",
        "governor": content("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "clock_source": content("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        "memory": field("/proc/meminfo", "MemTotal"),
        "file_system": file_system(directory),
        "device": device,
        "interrupts": interrupts(device),
        **{name: content(f"/sys/block/{device}/queue/{name}")
           for name in ("write_cache", "fua", "scheduler", "rotational", "io_poll")},
    }


@contextlib.contextmanager
def usual_read_ahead(device):
    """Some hosts have the kernel read far ahead: with 8 MiB the first touch of each of Kafka's sparse index files reads
    8 MiB of zeros, and 1,000 partitions turn its page cache over. Everybody is measured with the kernel's own value."""
    path = f"/sys/block/{device}/queue/read_ahead_kb"
    before = content(path)
    with contextlib.suppress(OSError), open(path, "w") as file:
        file.write(READ_AHEAD)
    try:
        yield content(path)
    finally:
        with contextlib.suppress(OSError), open(path, "w") as file:
            file.write(before)


def output(*command):
    ran = subprocess.run(command, capture_output=True, text=True)
    return ran.stdout.strip() or "unknown"


def content(path):
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return "unknown"


def field(path, name):
    found = re.search(rf"^{name}\s*:\s*(.+)$", content(path), re.MULTILINE)
    return found.group(1) if found else "unknown"


def kernel_config(name):
    for path, read in (("/proc/config.gz", gzip.open), (f"/boot/config-{platform.release()}", open)):
        try:
            with read(path, "rt") as file:
                return re.search(rf"^{name}=(.+)$", file.read(), re.MULTILINE).group(1)
        except (OSError, AttributeError):
            continue
    return "unknown"


def block_device(directory):
    """The whole disk under a directory, as /proc/diskstats calls it."""
    number = os.stat(directory).st_dev
    path = os.path.realpath(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}")
    # A partition lies below its disk.
    if os.path.exists(os.path.join(path, "partition")):
        path = os.path.dirname(path)
    return os.path.basename(path)


def file_system(directory):
    """Type and options of the mount that holds the directory."""
    holds = []
    for line in content("/proc/mounts").splitlines():
        _, place, kind, options = line.split()[:4]
        if os.path.commonpath([place, os.path.realpath(directory)]) == place:
            holds.append((len(place), f"{kind} ({options})"))
    return max(holds, default=(0, "unknown"))[1]


def interrupts(device):
    """Where the disk's interrupts were taken so far: {core: count}."""
    driver = os.path.basename(os.path.realpath(f"/sys/block/{device}/device"))
    counts = {}
    for line in content("/proc/interrupts").splitlines()[1:]:
        fields = line.split()
        if driver in fields[-1] or device in fields[-1]:
            for core, count in enumerate(fields[1:1 + os.cpu_count()]):
                if count.isdigit() and int(count):
                    counts[f"cpu{core}"] = counts.get(f"cpu{core}", 0) + int(count)
    return counts
