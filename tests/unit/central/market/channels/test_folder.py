"""What the folder adds to the contract: half-written files, odd names, nothing lost or written over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from central.market.channels.port import UndeliveredError

from .ends import FolderEnd


@pytest.fixture
def end() -> Iterator[FolderEnd]:
    made = FolderEnd()
    (made.path / "in").mkdir()
    yield made
    made.close()


def seen(end: FolderEnd) -> list[tuple[str, bytes]]:
    return [(each.identity, each.octets) for each in end.channel.receive()]


def test_a_file_that_still_grows_is_not_read(end: FolderEnd) -> None:
    path = end.path / "in" / "a.xml"
    path.write_bytes(b"<a>")
    assert seen(end) == []
    path.write_bytes(b"<a>more")
    assert seen(end) == []
    path.write_bytes(b"<a>more</a>")
    assert seen(end) == []
    assert seen(end) == [("a.xml", b"<a>more</a>")]


@pytest.mark.parametrize("name", [".hidden.xml", "a.tmp", "a.xml.part", "a.XML.PART", "a.filepart", "a.xml~"])
def test_names_of_unfinished_files_are_left_alone(end: FolderEnd, name: str) -> None:
    (end.path / "in" / name).write_bytes(b"<a/>")
    assert seen(end) == seen(end) == []


def test_links_and_folders_are_left_alone(end: FolderEnd, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (end.path / "in" / "link.xml").symlink_to(tmp_path / "secret")
    (end.path / "in" / "folder.xml").mkdir()
    assert seen(end) == seen(end) == []


def test_done_keeps_every_file_of_a_name(end: FolderEnd) -> None:
    for content in (b"<a/>", b"<b/>"):
        end.offer("same", content)
        (incoming,) = end.channel.receive()
        end.channel.confirm(incoming)
    assert sorted(path.read_bytes() for path in (end.path / "done").iterdir()) == [b"<a/>", b"<b/>"]
    assert list((end.path / "in").iterdir()) == []


def test_a_folder_that_is_not_there_is_not_made(end: FolderEnd) -> None:
    end.go_down()
    with pytest.raises(UndeliveredError, match="cannot be read"):
        list(end.channel.receive())
    assert not end.path.exists()
