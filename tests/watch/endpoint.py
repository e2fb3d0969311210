"""Metrics endpoints for the tests: a real one of prometheus-client, and ones that misbehave."""

import itertools
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from prometheus_client import CollectorRegistry, start_http_server

from extra_headers.forwarding import Policy, evaluate
from extra_headers.telemetry.metrics import Metrics, ProviderLabels, ProviderMetrics

SECONDS = 60.0
"""The deadline of every wait."""


class Server:
    """The counters of one server process, with one provider under each policy."""

    def __init__(self, **policies: Policy) -> None:
        self.registry = CollectorRegistry()
        metrics = Metrics(self.registry)
        self._policies = policies
        self._providers = {
            provider: ProviderMetrics(
                metrics,
                ProviderLabels(provider, "remote::vllm", policy.digest, policy.on_blocked, policy.on_malformed),
            )
            for provider, policy in policies.items()
        }

    def receive(self, provider: str, headers: object) -> None:
        """Count what is decided about a request."""
        self._providers[provider].record(evaluate(headers, self._policies[provider]), 1e-5)

    @contextmanager
    def serving(self, port: int = 0) -> Iterator[str]:
        """Serve the counters while the block runs; yields the URL."""
        server, thread = start_http_server(port, addr="127.0.0.1", registry=self.registry)
        try:
            yield f"http://127.0.0.1:{server.server_port}/metrics"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


@contextmanager
def answering(*chunks: bytes, endless: bool = False, drip: bool = False, close: bool = True) -> Iterator[str]:
    """Answer any request with raw bytes, and yield the URL.

    Args:
        chunks: the bytes.
        endless: whether to repeat the last chunk for ever.
        drip: whether to repeat it for ever, byte by byte.
        close: whether to close the connection afterwards.

    """
    ended = threading.Event()

    def serve(listener: socket.socket) -> None:
        while not ended.is_set():
            with suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    connection.recv(65536)
                    for chunk in chunks:
                        connection.sendall(chunk)
                    while endless and not ended.is_set():
                        connection.sendall(chunks[-1])
                    for byte in itertools.cycle(chunks[-1]) if drip else ():
                        connection.sendall(bytes([byte]))
                        if ended.wait(0.05):
                            break
                    if not close:
                        ended.wait(SECONDS)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/metrics"
        finally:
            ended.set()
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join()
