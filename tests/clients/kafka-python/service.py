"""What the published archive leaves out of its `test` package, as far as tests of an external broker use it."""


class ExternalService:
    """A broker that somebody else starts and ends."""

    def __init__(self, host, port):
        self.host = host
        self.port = port

    def open(self):
        pass

    def stop(self):
        pass


class SpawnedService:
    def __init__(self, *_, **__):
        raise NotImplementedError("only external brokers are tested")
