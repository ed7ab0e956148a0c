"""Load `onomast serve` with 1, 10 and 100 times as many clients as it has workers, and check every answer.

    python benchmarks/serve/load.py MODEL --requests 100000 --out benchmarks/serve/result.json

Clients are closed loops: each sends its next request as soon as it has an answer, so the load is what the server can
just not refuse. Every answer is compared with that of the model asked directly. Count and time are bounded.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from onomast import load

TEXTS = [
    f"{who} alisafiri kutoka {start} kwenda {end} siku ya {day} pamoja na viongozi wa chama chake."
    for who in ("Asha Juma", "Rais Samia Suluhu", "Waziri Majaliwa")
    for start, end in (("Dodoma", "Nairobi"), ("Tanga", "Kampala"), ("Moshi", "Kigali"))
    for day in ("Jumatatu", "Ijumaa")
]


@dataclass
class Run:
    """What the clients of one load saw."""

    clients: int
    seconds: list[float] = field(default_factory=list)
    """Of each answer with status 200."""
    statuses: Counter[str] = field(default_factory=Counter)
    wrong: int = 0

    def figures(self, took: float) -> dict[str, Any]:
        """Counts, rates and percentiles."""
        ordered = sorted(self.seconds)
        total = sum(self.statuses.values())
        at = lambda share: round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 2)  # noqa: E731
        return {
            "clients": self.clients,
            "requests": total,
            "answered_per_second": round(len(ordered) / took),
            "p50_ms": at(0.5),
            "p99_ms": at(0.99),
            "refused_share": round(self.statuses["429"] / total, 4),
            "lost": self.statuses["lost"],
            "wrong": self.wrong,
            "statuses": dict(self.statuses),
        }


async def client(port: int, run: Run, left: list[int], until: float, wanted: dict[str, Any]) -> None:
    """Send requests over one connection until the count or the time is used up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while left[0] > 0 and time.monotonic() < until:
            left[0] -= 1
            text = TEXTS[left[0] % len(TEXTS)]
            body = json.dumps({"text": text}).encode()
            began = time.perf_counter()
            writer.write(b"POST /v1/tag HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            status, answer = await response(reader)
            if status == "200":
                run.seconds.append(time.perf_counter() - began)
                run.wrong += answer["results"] != wanted[text]
            run.statuses[status] += 1
    except (OSError, asyncio.IncompleteReadError):
        run.statuses["lost"] += 1
    finally:
        writer.close()


async def response(reader: asyncio.StreamReader) -> tuple[str, Any]:
    """Status and body of one answer."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
    )
    return head.split(b" ", 2)[1].decode(), json.loads(await reader.readexactly(length))


async def load_with(port: int, clients: int, requests: int, seconds: float, wanted: dict[str, Any]) -> dict[str, Any]:
    """The figures of so many clients."""
    run, left, began = Run(clients), [requests], time.monotonic()
    await asyncio.gather(*(client(port, run, left, began + seconds, wanted) for _ in range(clients)))
    return run.figures(time.monotonic() - began)


def memory(pid: int) -> float:
    """Resident memory in MB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def start(model: str, workers: int, queue: int) -> tuple[subprocess.Popen[bytes], int]:
    """A server that is ready."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["serve", model, "--workers", str(workers), "--queue", str(queue), "--port", str(port)]
    process = subprocess.Popen([sys.executable, "-m", "onomast.cli", *words], stderr=subprocess.DEVNULL)
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return process, port
        except OSError:
            time.sleep(0.1)
    process.kill()
    raise SystemExit("the server did not start")


def main() -> None:
    """Run all loads and print or write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--requests", type=int, default=100_000, help="of all loads together")
    parser.add_argument("--seconds", type=float, default=90.0, help="of each load, at most")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--queue", type=int, default=16)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    found = load(given.model).entities(TEXTS)
    kept = ("start", "end", "label", "text", "confidence")
    wanted = {
        text: [{"entities": [{name: getattr(one, name) for name in kept} for one in entities]}]
        for text, entities in zip(TEXTS, found, strict=True)
    }
    process, port = start(given.model, given.workers, given.queue)
    try:
        loads, sizes = [], []
        for times in (1, 10, 100):
            count = given.requests // 3
            loads.append(asyncio.run(load_with(port, times * given.workers, count, given.seconds, wanted)))
            sizes.append(round(memory(process.pid), 1))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    result = {"model": given.model.rsplit("/", 1)[-1], "workers": given.workers, "queue": given.queue, "loads": loads,
              "memory_mb_after_each_load": sizes}  # fmt: skip
    print(json.dumps(result, indent=1))
    if given.out:
        given.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
