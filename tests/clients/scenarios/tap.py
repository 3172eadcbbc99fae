"""A relay between clients and a broker that takes the times of requests: what a client will not tell about itself."""

import collections
import socket
import struct
import threading
import time

FETCH = 1
Exchange = collections.namedtuple("Exchange", "key asked answered")


class Tap:
    """Every request by key with the times of question and answer (None: on its way)."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.lock = threading.Lock()
        self.asked, self.done = {}, []

    def open(self, target):
        host, port = target.rsplit(":", 1)
        threading.Thread(target=self._accept, args=[(host, int(port))], daemon=True).start()

    def close(self):
        self.listener.close()

    def exchanges(self, key):
        with self.lock:
            return [found for found in [*self.done, *self.asked.values()] if found.key == key]

    def _accept(self, target):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            server = socket.create_connection(target)
            for source, sink, note in [(client, server, self._question), (server, client, self._answer)]:
                source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._relay, args=[source, sink, note, id(client)], daemon=True).start()

    def _relay(self, source, sink, note, connection):
        try:
            while head := source.recv(4, socket.MSG_WAITALL):
                body = source.recv(struct.unpack(">i", head)[0], socket.MSG_WAITALL)
                note(connection, body)
                sink.sendall(head + body)
        except (OSError, struct.error):
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _question(self, connection, body):
        key, _, correlation = struct.unpack_from(">hhi", body)
        with self.lock:
            self.asked[connection, correlation] = Exchange(key, time.monotonic(), None)

    def _answer(self, connection, body):
        correlation = struct.unpack_from(">i", body)[0]
        with self.lock:
            exchange = self.asked.pop((connection, correlation))
            self.done.append(exchange._replace(answered=time.monotonic()))
