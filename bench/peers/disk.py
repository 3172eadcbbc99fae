"""The disk alone, in the directory of the brokers: what no broker can be faster than."""

import ctypes
import mmap
import os
import threading
import time

PAGE = 4096
MIB = 1 << 20
DEPTH = 4
PREPARE_BYTES = 4 * MIB
PR_SET_TIMERSLACK = 29
# A percentile stands on at least this many samples above it.
SAMPLES_ABOVE_MIN = 10


class DiskFile:
    """A file with every block written, so that no write of a measurement changes the file system's books."""

    def __init__(self, directory, mebibytes):
        self.path = os.path.join(directory, "disk-alone")
        self.size = mebibytes * MIB
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_DIRECT, 0o600)
        block = random_block(PREPARE_BYTES)
        for position in range(0, self.size, PREPARE_BYTES):
            os.pwrite(descriptor, block, position)
        os.fsync(descriptor)
        os.close(descriptor)

    def remove(self):
        os.unlink(self.path)

    def flushed_writes(self, seconds, rate=None):
        """4 KiB `O_DSYNC` writes one after the other: `rate` a second from a schedule, or as fast as they go.

        Counted from the intended time when the write before was still under way then, else from the call: a late timer
        is no fault of the disk's."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_DIRECT | os.O_DSYNC)
        ctypes.CDLL(None).prctl(PR_SET_TIMERSLACK, 1)
        block = random_block(PAGE)
        clock, latencies, position = time.perf_counter, [], 0
        began = free = clock()
        index = 0
        while True:
            intended = began + index / rate if rate else free
            if intended - began >= seconds:
                break
            if free < intended:
                time.sleep(max(0.0, intended - clock()))
                started = clock()
            else:
                started = intended
            os.pwrite(descriptor, block, position)
            free = clock()
            latencies.append((free - started) * 1e6)
            position = (position + PAGE) % self.size
            index += 1
            # Behind its schedule for good: as many writes as the time carries.
            if free - began >= 2 * seconds:
                break
        os.close(descriptor)
        return {"requests_per_second": len(latencies) / (free - began), **percentiles(latencies)}

    def sequential(self, seconds, write):
        """MB/s of 1 MiB each, four at a time; no flush."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_DIRECT)
        began = time.perf_counter()
        done = [0] * DEPTH

        def work(lane):
            buffer = random_block(MIB)
            position = lane * MIB
            while time.perf_counter() - began < seconds:
                if write:
                    os.pwrite(descriptor, buffer, position)
                else:
                    os.preadv(descriptor, [buffer], position)
                done[lane] += MIB
                position = (position + DEPTH * MIB) % self.size

        lanes = [threading.Thread(target=work, args=(lane,)) for lane in range(DEPTH)]
        for lane in lanes:
            lane.start()
        for lane in lanes:
            lane.join()
        elapsed = time.perf_counter() - began
        os.close(descriptor)
        return {"megabytes_per_second": sum(done) / elapsed / 1e6}


def random_block(size):
    """At an address that direct I/O takes."""
    block = mmap.mmap(-1, size)
    block.write(os.urandom(size))
    return block


def percentiles(samples):
    """Those that the number of samples carries, and the maximum."""
    ordered = sorted(samples)
    found = {"samples": len(ordered), "max": ordered[-1]}
    for name, part in (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)):
        index = int(len(ordered) * part)
        if len(ordered) - index >= SAMPLES_ABOVE_MIN or part <= 0.5:
            found[name] = ordered[index]
    return found
