"""The loop of the drivers that are written in Python; the requests are explained in `scenarios/driver.py`."""

import base64
import json
import os
import sys
import threading
import traceback

POLL_SECONDS = 0.1


class Unavailable(Exception):
    """The library has no such function; the text says which."""


class Refused(Exception):
    """What the broker refused, by Kafka's code."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code, self.text = code, text


def packed(content):
    return None if content is None else base64.b64encode(content).decode()


def unpacked(content):
    return None if content is None else base64.b64decode(content)


def say(message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def run(session, member):
    """`session(address)` has a method for each request, and `refusal(exception)` gives Kafka's code of one or None.
    What it has no method for it `lacks`. `member(address, settings, commands)` runs to its end."""
    address = sys.argv[1]
    if sys.argv[2:] == ["member"]:
        settings = json.loads(sys.stdin.readline())
        commands = Commands()
        try:
            member(address, settings, commands)
        except Exception as failure:
            traceback.print_exc()
            say({"failed": f"{type(failure).__name__}: {failure}"})
        sys.stdout.flush()
        # A library's threads may not end by themselves.
        os._exit(0)
    served = session(address)
    for line in sys.stdin:
        request = json.loads(line)
        say(answer(served, request.pop("do"), request))
    os._exit(0)


def answer(session, what, request):
    call = getattr(session, what, None)
    try:
        return {"unavailable": session.lacks} if call is None else call(request) or {}
    except Unavailable as lacking:
        return {"unavailable": str(lacking)}
    except Refused as refused:
        return {"refused": refused.code, "text": refused.text}
    except Exception as failure:
        traceback.print_exc()
        if (code := session.refusal(failure)) is not None:
            return {"refused": code, "text": str(failure)}
        return {"failed": f"{what}: {type(failure).__name__}: {failure}"}


class Commands:
    """What a member has been told meanwhile."""

    def __init__(self):
        self.waiting = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in sys.stdin:
            self.waiting.append(json.loads(line)["do"])
        self.waiting.append("close")

    def next(self):
        return self.waiting.pop(0) if self.waiting else None
