"""One client library in a process of its own, asked and answering in lines of JSON.

A driver is started as `COMMAND ADDRESS` and answers requests in order, or as `COMMAND ADDRESS member` and is one member
of a group. Byte strings (keys, values, header values) are base64, or null. Requests, beside `"do"`:

    produce         topic, records: [[key, value, headers: [[name, value]], partition|null, time_ms|null]], codec, acks
                    (-1, 1), idempotent, request_bytes_max, timeout_ms, pause: [records, ms], a rest after so many
                    -> {"places": [[partition, offset]]}, or {"refused": code, "text"} for the first that was refused;
                    "places": null when the library does not tell them
    consume         topic, from: {partition: offset|"beginning"|"end"}, count, seconds, wait_ms (how long a fetch may
                    wait), reset ("earliest", "latest": where to go from an offset that is not there)
                    -> {"records": [[partition, offset, time_ms, key, value, headers]]}: `count` of them, or what came
                    within `seconds`
    seek            topic, positions: [offset], count: one consumer of partition 0, sent to each position in turn
                    -> {"offsets": [[...]]}, the first `count` after each
    lookup          topic, times: {partition: ms} -> {"offsets": {partition: offset|-1}}, -1: no record is that new
    create_topic    topic, partitions, configs, replication -> {}
    describe_topic  topic -> {"partitions": N}
    delete_topic    topic -> {}
    add_partitions  topic, total -> {}
    delete_records  topic, before: {partition: offset} -> {"starts": {partition: offset}}
    configs         type ("topic", "broker"), name -> {"configs": {key: {"value", "source", "read_only"}}}
    alter_configs   type, name, changes: [["set"|"delete"|"append"|"subtract", key, value]] -> {}
    replace_configs type, name, configs -> {}: what is not named goes back to its default
    committed       group, topic, partitions -> {"offsets": {partition: offset|-1}}

What Kafka refuses is answered {"refused": code, "text"}; what the library cannot do {"unavailable": reason}; everything
else that goes wrong {"failed": text}. A member is told by its first line: group, topic, strategy ("range",
"roundrobin", "cooperative"), instance (static membership), session_ms, heartbeat_ms. It prints {"assigned": [...]},
{"revoked": [...]}, {"records": [[partition, offset, value]]}; {"do": "commit"} commits what it has printed and is
answered {"committed": true}, {"do": "close"} commits, leaves and ends.
"""

import base64
import json
import os
import queue
import subprocess
import threading

ANSWER_SECONDS_MAX = 180


class Unavailable(Exception):
    """The library has no such function."""


class Refused(Exception):
    """The broker's error, by its code."""

    def __init__(self, code, text):
        super().__init__(f"error {code}: {text}")
        self.code = code


def packed(content):
    return None if content is None else base64.b64encode(content).decode()


def unpacked(content):
    return None if content is None else base64.b64decode(content)


class Process:
    """Lines out of a process, read by a thread as they come."""

    def __init__(self, command, log):
        self.log = log
        with open(log, "ab") as errors:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            if line.startswith(b"{"):
                self.lines.put(json.loads(line))
        self.lines.put(None)

    def say(self, message):
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def answer(self, seconds=ANSWER_SECONDS_MAX):
        try:
            message = self.lines.get(timeout=seconds)
        except queue.Empty:
            raise AssertionError(f"no answer within {seconds} s; see {self.log}") from None
        if message is None:
            raise AssertionError(f"the driver ended with {self.process.wait()}; see {self.log}")
        return message

    def kill(self):
        self.process.kill()
        self.process.wait()


class Driver(Process):
    """Requests, one after the other: `driver.lookup(topic=..., times=...)`, or `ask` now and `outcome` later."""

    def ask(self, what, **arguments):
        self.say({"do": what, **arguments})

    def outcome(self, seconds=ANSWER_SECONDS_MAX):
        answer = self.answer(seconds)
        if "unavailable" in answer:
            raise Unavailable(answer["unavailable"])
        if "refused" in answer:
            raise Refused(answer["refused"], answer.get("text", ""))
        assert "failed" not in answer, f"{answer['failed']}; see {self.log}"
        return answer

    def __getattr__(self, what):
        def call(**arguments):
            self.ask(what, **arguments)
            return self.outcome()
        return call

    def end(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()


class Member(Process):
    """One member of a group: what it has been given and what it has read so far."""

    def __init__(self, command, log, **settings):
        super().__init__(command, log)
        self.rebalances, self.records, self.commits = [], [], 0
        self.ended = False
        self.say(settings)

    def look(self):
        """Takes in what it has printed since."""
        while not self.lines.empty():
            event = self.lines.get()
            if event is None:
                self.ended = True
                return self
            if "unavailable" in event:
                raise Unavailable(event["unavailable"])
            if "failed" in event:
                raise AssertionError(f"{event['failed']}; see {self.log}")
            for kind in ("assigned", "revoked"):
                if kind in event:
                    self.rebalances.append((kind, sorted(event[kind])))
            self.records += [(partition, offset, unpacked(value))
                             for partition, offset, value in event.get("records", [])]
            self.commits += event.get("committed", False)
        return self

    def owned(self):
        """Partitions it has after all that it was given and lost."""
        owned = set()
        for kind, partitions in self.look().rebalances:
            owned = owned | set(partitions) if kind == "assigned" else owned - set(partitions)
        return owned

    def values(self):
        return [value for _, _, value in self.look().records]

    def close(self):
        self.say({"do": "close"})
        assert self.process.wait(60) == 0, f"a member ended with {self.process.returncode}; see {self.log}"
        self.look()


def log_directory(path):
    os.makedirs(path, exist_ok=True)
    return path
