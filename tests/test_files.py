"""Writing files: whole or not at all; devices, pipes, links and permissions stay; any name can be written about."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from onomast.apps.bulk import tag_file
from onomast.data.formats.registry import read, write
from onomast.errors import OnomastError
from onomast.files import atomic_path, write_text
from onomast.sentence import Sentence

SENTENCES = [Sentence(("Asha", "yuko", "Łódź"), ("B-PER", "O", "B-LOC"))]
TEXT = "Asha\tB-PER\nyuko\tO\nŁódź\tB-LOC\n\n"


def test_permissions_of_the_file_that_is_replaced_stay(tmp_path: Path) -> None:
    path = tmp_path / "secret.json"
    path.write_text("old")
    path.chmod(0o600)
    write_text(path, "new")
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("new", 0o600)
    write(SENTENCES, path, format="columns")
    assert (path.read_text("utf-8"), stat.S_IMODE(path.stat().st_mode)) == (TEXT, 0o600)


def test_a_symbolic_link_is_followed(tmp_path: Path) -> None:
    target, link, dangling = tmp_path / "target", tmp_path / "link", tmp_path / "dangling"
    target.write_text("old")
    link.symlink_to("target")
    dangling.symlink_to("made")
    for path in (link, dangling):
        write_text(path, "new")
        assert path.is_symlink()
    assert target.read_text() == (tmp_path / "made").read_text() == "new"


def test_a_named_pipe_is_written_into(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    received: list[str] = []
    for function in (lambda: write_text(pipe, TEXT), lambda: write(SENTENCES, pipe, format="columns")):
        reader = threading.Thread(target=lambda: received.append(pipe.read_text("utf-8")))
        reader.start()
        function()
        reader.join(20)
        assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert received == [TEXT, TEXT]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root may make, and lose, a device")
def test_a_device_is_written_into_and_stays(tmp_path: Path) -> None:
    device = tmp_path / "null"
    try:
        os.mknod(device, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        device.write_text("")
    except OSError:
        pytest.skip("this file system has no devices")
    write_text(device, TEXT)
    write(SENTENCES, device, format="columns")
    assert stat.S_ISCHR(device.stat().st_mode) and sorted(tmp_path.iterdir()) == [device]


def test_dev_stdout_continues_what_was_printed(tmp_path: Path) -> None:
    script = (
        "from onomast.files import write_text; from onomast.data.formats.registry import read, write; import sys\n"
        "print('before'); write_text('/dev/stdout', 'json\\n'); write(read(sys.argv[1]), '/dev/stdout'); print('after')"
    )
    path, out = tmp_path / "a.conll", tmp_path / "out"
    path.write_text(TEXT, "utf-8")
    for command in ("> out", "| cat > out"):
        subprocess.run(
            ["sh", "-c", f'"$1" -c "$2" a.conll {command}', "sh", sys.executable, script], cwd=tmp_path, check=True
        )
        lines = out.read_text("utf-8").splitlines()
        assert (lines[:2], lines[-1]) == (["before", "json"], "after")
        assert sorted(tmp_path.iterdir()) == [path, out]


def test_nothing_is_left_of_a_file_that_was_not_finished(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")

    def fail() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_full_disk_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left") as caught, atomic_path(tmp_path / "a.json"):
        raise OSError(28, "No space left on device")
    assert caught.value.filename == str(tmp_path / "a.json")


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(OnomastError, match="is a folder"):
        write(SENTENCES, tmp_path, format="columns")


def test_a_file_is_not_tagged_into_itself(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("Asha yuko hapa.")
    (tmp_path / "b.txt").symlink_to(path)
    for out in (path, tmp_path / "b.txt"):
        with pytest.raises(OnomastError, match="is the input; expected another file"):
            tag_file(None, path, out)  # type: ignore[arg-type]  # it is not reached
    assert path.read_text() == "Asha yuko hapa."


def test_a_file_name_that_is_not_utf8_can_be_read_and_written_about(tmp_path: Path) -> None:
    name = os.fsdecode(os.fsencode(tmp_path) + b"/n\xe9.conll")
    try:
        Path(name).write_text(TEXT, "utf-8")
    except OSError:
        pytest.skip("this file system takes only UTF-8")
    write_text(tmp_path / "card.md", f"made from {name}")
    assert (tmp_path / "card.md").read_text("utf-8").endswith("n\\udce9.conll")
    write(read(name), tmp_path / "page.html")
    assert "n\ufffd.conll" in (tmp_path / "page.html").read_text("utf-8")
