"""MkDocs hooks: pages of the repository that lie outside docs/ join the site, and links to source files become text.

A link to a file that is nowhere in the repository is an error, as is (by `strict`) a link to a page that is not there.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
OUTSIDE = ("papers/**/*.md", "papers/**/*.png", "papers/**/*.svg", "benchmarks/**/*.md", "benchmarks/**/*.png",
           "benchmarks/**/*.svg", "CHANGELOG.md", "CONTRIBUTING.md")  # fmt: skip
_LINK = re.compile(r"(?P<image>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)#\s]+)(?P<anchor>#[^)]*)?\)")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages and pictures of papers/ and benchmarks/, the changelog and the guide for contributors."""
    for pattern in OUTSIDE:
        for path in sorted(ROOT.glob(pattern)):
            files.append(File.generated(config, path.relative_to(ROOT).as_posix(), abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:  # noqa: ARG001 - MkDocs passes it by name
    """Point links at the site: docs/ and the repository's root are one folder there."""
    source = page.file.src_uri
    here = posixpath.dirname(source if _is_outside(source) else f"docs/{source}")

    def point(match: re.Match[str]) -> str:
        target = match["target"]
        if ":" in target or target.startswith("#"):
            return match[0]
        place = posixpath.normpath(posixpath.join(here, target))
        if not (ROOT / place).exists():
            raise PluginError(f"{source}: link to {target}: there is no {place} in the repository")
        if (ROOT / place).is_dir() and (ROOT / place / "README.md").is_file():
            place = f"{place}/README.md"
        uri = place.removeprefix("docs/")
        if files.get_file_from_path(uri) is None:
            return match["text"]  # source code: the name says where it is
        relative = posixpath.relpath(uri, posixpath.dirname(source) or ".")
        return f"{match['image']}[{match['text']}]({relative}{match['anchor'] or ''})"

    return _LINK.sub(point, markdown)


def on_post_page(output: str, page: Any, config: Any) -> str:  # noqa: ARG001 - MkDocs passes it by name
    """Load the search's helper from the site itself: the theme would fetch it from elsewhere."""
    return _with_own_helper(output, posixpath.dirname(page.url))


def on_post_template(output_content: str, template_name: str, config: Any) -> str:  # noqa: ARG001
    """The same for the page 404.html, which is no page to MkDocs."""
    return _with_own_helper(output_content, "")


def _with_own_helper(output: str, folder: str) -> str:
    helper = posixpath.relpath("assets/iframe-worker.js", folder or ".")
    return output.replace("https://unpkg.com/iframe-worker/shim", helper)


def _is_outside(uri: str) -> bool:
    return uri.startswith(("papers/", "benchmarks/")) or uri in ("CHANGELOG.md", "CONTRIBUTING.md")
