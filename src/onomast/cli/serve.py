"""`onomast serve`: taggers behind HTTP."""

from __future__ import annotations

from typing import Annotated

import typer

from onomast.errors import require


def serve(
    models: Annotated[list[str], typer.Argument(metavar="MODEL...", help="Model folders; NAME=DIR gives one a name.")],
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port.")] = 8000,
    workers: Annotated[int, typer.Option(help="Threads that tag; 0: one a core.")] = 0,
    queue: Annotated[int, typer.Option(help="Requests that may wait; beyond it the answer is 429.")] = 64,
    batch: Annotated[int, typer.Option(help="Tokens of waiting requests that are tagged together.")] = 2048,
    max_bytes: Annotated[int, typer.Option(help="Bytes of a request.")] = 1 << 20,
    max_texts: Annotated[int, typer.Option(help="Texts of a request.")] = 256,
    max_tokens: Annotated[int, typer.Option(help="Tokens of a request, about.")] = 20_000,
    timeout: Annotated[float, typer.Option(help="Seconds for a request.")] = 30.0,
    watch: Annotated[float, typer.Option(help="Seconds between looks for a changed model; 0: on SIGHUP only.")] = 0.0,
) -> None:
    """Serve taggers over HTTP, with a page to try them. A key in ONOMAST_API_KEY is asked for as a bearer token.

    onomast serve model --port 8000
    """
    require("fastapi", "uvicorn", "prometheus_client", purpose="`onomast serve`")
    from onomast.apps.serve.messages import Limits
    from onomast.apps.serve.server import Settings
    from onomast.apps.serve.server import serve as run

    limits = Limits(max_bytes, max_texts, max_tokens, timeout)
    run(models, Settings(host, port, workers, queue, batch, watch, limits))
