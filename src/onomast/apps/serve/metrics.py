"""Figures of a server for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """Counters of one server, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter("onomast_requests", "Requests.", ["path", "status"], registry=self._registry)
        self._seconds = Histogram(
            "onomast_request_seconds", "Time to answer.", ["path"], buckets=_SECONDS, registry=self._registry
        )
        self.texts = Counter("onomast_texts", "Texts tagged.", registry=self._registry)
        self._tokens = Counter("onomast_tokens", "Tokens tagged, about.", registry=self._registry)
        self._batches = Counter("onomast_batches", "Batches tagged.", registry=self._registry)
        self._work = Counter("onomast_work_seconds", "Seconds that workers were busy.", registry=self._registry)
        self._waiting = Gauge("onomast_queue_requests", "Requests in the queue.", registry=self._registry)

    def request(self, path: str, status: int, seconds: float) -> None:
        """Count one answer."""
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def batch(self, jobs: int, tokens: int, seconds: float) -> None:  # noqa: ARG002 - the shape of on_batch
        """Count one batch."""
        self._batches.inc()
        self._tokens.inc(tokens)
        self._work.inc(seconds)

    def text(self, waiting: int) -> bytes:
        """The figures in Prometheus's text format."""
        self._waiting.set(waiting)
        return generate_latest(self._registry)
