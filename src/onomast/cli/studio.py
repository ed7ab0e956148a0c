"""`onomast studio`: label, look, train and use in one local page."""

from __future__ import annotations

import contextlib
import getpass
from pathlib import Path
from typing import Annotated

import typer


def studio(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The project; made if it is not there.")],
    port: Annotated[int, typer.Option(help="0: any free one.")] = 0,
    host: Annotated[
        str, typer.Option(help="The address to listen on; others than 127.0.0.1 can be reached by others.")
    ] = ("127.0.0.1"),
    user: Annotated[str | None, typer.Option(help="Who labels; the page can change it.")] = None,
    add: Annotated[list[str] | None, typer.Option(metavar="FILE", help="Import this file first.")] = None,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
) -> None:
    """Open a page on this computer to label sentences, see what the tagger thinks, correct it and take the result away.

    The page needs no internet. Stop with Ctrl-C; every label is saved already.
    """
    from onomast.apps.studio.server import Studio

    with contextlib.suppress(Exception):  # no user name on this system
        user = user or getpass.getuser()
    with Studio(folder, host=host, port=port, user=user or "me") as server:
        for name in add or []:
            from onomast.apps.studio.project import import_file
            from onomast.data.catalogue import resolve

            print(import_file(server.store, resolve(name), Path(name).name, user or "me"), flush=True)
        server.api.jobs.start()
        with contextlib.suppress(KeyboardInterrupt):
            print(f"The studio is open at\n\n    {server.url}\n", flush=True)
            print("Stop with Ctrl-C; every label is saved already.", flush=True)
            if browser:
                import webbrowser

                webbrowser.open(server.url)
            server.serve_forever()
