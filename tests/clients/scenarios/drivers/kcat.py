"""kcat, the command line on librdkafka: one process a request, or several where one cannot do it."""

import ctypes
import itertools
import json
import queue
import re
import signal
import subprocess
import sys
import threading
import time

import loop

# Multi-character delimiters that no record of the scenarios contains.
KEY_END, RECORD_END = b"\x01\x02=\x02\x01", b"\x01\x02;\x02\x01"
HEADERS_END = b"\x1e\n"
# Partition, offset, time, length of key and value, headers; then the bytes of both.
FORMAT = r"%p %o %T %K %S %h\x1e\n%k%s"
CODES = {"Unknown topic or partition": 3, "Unknown topic": 3, "Message size too large": 10,
         "Offset out of range": 1, "Unknown partition": 3}
END_WITH_PARENT = 1
# "(memberid M): assigned: T [0]", or "incremental revoke of 2 partition(s) (memberid M, assignment lost, ...): T [0]".
REBALANCED = re.compile(r"% Group .* rebalanced(.*)\): (.*)")


def command(address, *arguments, **options):
    settings = [part for name, value in options.items() for part in ("-X", f"{name.replace('_', '.')}={value}")]
    return ["kcat", "-b", address, *arguments, *settings]


def escaped(delimiter):
    return "".join(f"\\x{byte:02x}" for byte in delimiter)


class Said(Exception):
    """What kcat wrote before it ended."""


def end_with_parent():
    """A member that is killed takes its kcat with it."""
    ctypes.CDLL(None).prctl(END_WITH_PARENT, signal.SIGKILL)


class Session:
    lacks = "kcat has no functions for topics and configs"

    def __init__(self, address):
        self.address = address

    def refusal(self, failure):
        return next((code for text, code in CODES.items() if f": {text}" in str(failure)), None)

    def produce(self, request):
        run = command(
            self.address, "-P", "-E", "-t", request["topic"], "-z", request["codec"], "-D", escaped(RECORD_END),
            acks=request["acks"], enable_idempotence=str(request["idempotent"]).lower(),
            message_max_bytes=request["request_bytes_max"], message_timeout_ms=request["timeout_ms"], linger_ms=5,
            topic_metadata_refresh_interval_ms=1_000, topic_metadata_propagation_max_ms=1_000)
        # All of one process have the same partition and headers, and the same of key and value is null.
        for shape, records in itertools.groupby(request["records"], self._shape):
            self._send(run + self._options(*shape), list(records), request["pause"])
        return {"places": None}

    @staticmethod
    def _shape(record):
        key, value, headers, partition, time_ms = record
        if time_ms is not None:
            raise loop.Unavailable("kcat cannot set a record's time")
        if key == "" and value is None:
            raise loop.Unavailable("-Z makes both key and value null when they are empty")
        if key is None and value == "":
            raise loop.Unavailable("a record that is empty altogether is not sent")
        return key is not None, value is None, partition, json.dumps(headers)

    @staticmethod
    def _options(has_key, value_is_null, partition, headers):
        options = ["-K", escaped(KEY_END)] if has_key or value_is_null else []
        options += ["-Z"] if value_is_null else []
        options += [] if partition is None else ["-p", str(partition)]
        for name, content in json.loads(headers):
            if content is not None and b"\0" in loop.unpacked(content):
                raise loop.Unavailable("an argument of a program holds no zero byte")
            value = "" if content is None else "=" + loop.unpacked(content).decode("utf-8", "surrogateescape")
            options += ["-H", name + value]
        return options

    @staticmethod
    def _send(run, records, pause):
        with subprocess.Popen(run, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            said = []
            listener = threading.Thread(target=lambda: said.append(process.stderr.read()))
            listener.start()
            try:
                for number, (key, value, *_) in enumerate(records):
                    keyed = (loop.unpacked(key) or b"") + KEY_END if "-K" in run else b""
                    process.stdin.write(keyed + (loop.unpacked(value) or b"") + RECORD_END)
                    if pause and number % pause[0] == 0:
                        process.stdin.flush()
                        time.sleep(pause[1] / 1_000)
                process.stdin.close()
            except BrokenPipeError:
                pass
            listener.join()
        text = said[0].decode()
        if process.returncode or "Delivery failed" in text:
            raise Said(text)

    def consume(self, request):
        places = list(request["from"].items())
        if len({offset for _, offset in places}) == 1 and len(places) > 1:
            places = [(None, places[0][1])]
        readers = [Reader(self._reading(request, *place)) for place in places]
        records, deadline = [], time.monotonic() + request["seconds"]
        try:
            while len(records) < request["count"] and time.monotonic() < deadline:
                for reader in readers:
                    records += reader.taken(loop.POLL_SECONDS)
        finally:
            for reader in readers:
                reader.end()
        return {"records": records}

    def _reading(self, request, partition, offset):
        options = [] if partition is None else ["-p", partition]
        return command(
            self.address, "-C", "-t", request["topic"], "-o", str(offset), "-q", "-u", "-f", FORMAT, *options,
            auto_offset_reset=request["reset"], fetch_wait_max_ms=request["wait_ms"], fetch_error_backoff_ms=100,
            fetch_message_max_bytes=8 << 20)

    def seek(self, request):
        found = []
        for offset in request["positions"]:
            answer = self.consume({"topic": request["topic"], "from": {"0": offset}, "count": request["count"],
                                   "seconds": 30, "wait_ms": 500, "reset": "earliest"})
            found.append([record[1] for record in answer["records"]][:request["count"]])
        return {"offsets": found}

    def lookup(self, request):
        found = {}
        for partition, time_ms in request["times"].items():
            run = command(self.address, "-Q", "-t", f"{request['topic']}:{partition}:{time_ms}")
            done = subprocess.run(run, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            if done.returncode:
                raise Said(done.stderr)
            found[partition] = int(done.stdout.rsplit(" ", 1)[1])
        return {"offsets": found}


def records(out):
    """What is printed in FORMAT, until it ends."""
    while head := out.readline():
        while not head.endswith(HEADERS_END):
            head += out.readline()
        partition, offset, time_ms, key, value, headers = head[:-len(HEADERS_END)].split(b" ", 5)
        pair = [loop.packed(out.read(int(length))) if int(length) >= 0 else None for length in (key, value)]
        yield [int(partition), int(offset), int(time_ms), *pair, headers_of(headers)]


def headers_of(text):
    pairs = (pair.partition(b"=") for pair in text.split(b",") if pair)
    return [[name.decode(), None if content == b"NULL" else loop.packed(content)] for name, _, content in pairs]


class Reader:
    """One consuming kcat; its records are taken as they come."""

    def __init__(self, run):
        self.process = subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.records = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for record in records(self.process.stdout):
            self.records.put(record)
        self.records.put(None)

    def taken(self, seconds):
        found = []
        try:
            found.append(self.records.get(timeout=seconds))
            while True:
                found.append(self.records.get_nowait())
        except queue.Empty:
            pass
        if None in found:
            raise Said(self.process.stderr.read().decode())
        return found

    def end(self):
        self.process.kill()
        self.process.wait()


def member(address, settings, commands):
    options = {"group_instance_id": settings["instance"]} if settings["instance"] else {}
    strategy = {"cooperative": "cooperative-sticky"}.get(settings["strategy"], settings["strategy"])
    run = command(
        address, "-G", settings["group"], "-u", "-E", "-f", FORMAT, partition_assignment_strategy=strategy,
        session_timeout_ms=settings["session_ms"], heartbeat_interval_ms=settings["heartbeat_ms"],
        auto_offset_reset="earliest", auto_commit_interval_ms=200, **options) + [settings["topic"]]
    process = subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=end_with_parent)
    threads = [threading.Thread(target=tell_records, args=[process.stdout]),
               threading.Thread(target=tell_rebalances, args=[process.stderr])]
    for thread in threads:
        thread.start()
    while (told := commands.next()) != "close" and process.poll() is None:
        if told == "commit":
            loop.say({"unavailable": "kcat commits by time, not when it is told"})
        time.sleep(loop.POLL_SECONDS)
    if process.poll() is not None:
        raise RuntimeError(f"kcat ended with {process.returncode}")
    process.send_signal(signal.SIGTERM)
    process.wait()
    for thread in threads:
        thread.join()


def tell_records(out):
    for partition, offset, _, _, value, _ in records(out):
        loop.say({"records": [[partition, offset, value]]})


def tell_rebalances(errors):
    for line in errors:
        text = line.decode()
        sys.stderr.write(text)
        if found := REBALANCED.match(text):
            kind = "revoked" if "revoke" in found[1] + found[2] else "assigned"
            loop.say({kind: [int(number) for number in re.findall(r"\[(\d+)\]", found[2])]})


if __name__ == "__main__":
    loop.run(Session, member)
