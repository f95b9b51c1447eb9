"""What the folder adds to the contract: half-written files, odd names, nothing lost or written over."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from central.market.channels.port import Outgoing, UndeliveredError

from .ends import FolderEnd


@pytest.fixture
def end() -> Iterator[FolderEnd]:
    made = FolderEnd()
    (made.path / "in").mkdir()
    yield made
    made.close()


def seen(end: FolderEnd) -> list[tuple[str, bytes]]:
    return [(each.handle, each.octets) for each in end.channel.receive()]


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


def test_another_file_of_the_same_name_is_another_one(end: FolderEnd) -> None:
    identities = []
    for content in (b"<monday/>", b"<tuesday/>", b"<monday/>"):
        end.offer("data", content)
        (incoming,) = end.channel.receive()
        identities.append(incoming.identity)
        end.channel.confirm(incoming)
    assert identities[0] == identities[2] != identities[1]
    assert all(each.startswith("data.xml ") for each in identities)


def test_what_came_under_the_name_while_it_was_read_is_not_moved_away(end: FolderEnd, tmp_path: Path) -> None:
    end.offer("data", b"<monday/>")
    (incoming,) = end.channel.receive()
    new = tmp_path / "new"
    new.write_bytes(b"<tuesday/>")
    new.replace(end.path / "in" / "data.xml")
    end.channel.confirm(incoming)
    assert [path.read_bytes() for path in (end.path / "in").iterdir()] == [b"<tuesday/>"]
    assert list((end.path / "done").iterdir()) == []
    assert seen(end) == []
    assert seen(end) == [("data.xml", b"<tuesday/>")]
    end.channel.confirm(incoming)
    assert [path.read_bytes() for path in (end.path / "in").iterdir()] == [b"<tuesday/>"], "nobody has confirmed it"


def test_a_file_that_changes_between_look_and_reading_is_left(
    end: FolderEnd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, secret = end.path / "in" / "a.xml", tmp_path / "secret"
    secret.write_bytes(b"secret")
    path.write_bytes(b"<a/>")
    list(end.channel.receive())
    read = end.channel._read

    def swap(change: Callable[[], object]) -> list[tuple[str, bytes]]:
        def late(*given: Any) -> Any:
            path.unlink()
            change()
            return read(*given)

        with monkeypatch.context() as patch:
            patch.setattr(end.channel, "_read", late)
            return seen(end)

    assert swap(lambda: path.symlink_to(secret)) == []
    path.unlink()
    path.write_bytes(b"<b/>")
    list(end.channel.receive())
    assert swap(lambda: os.mkfifo(path)) == []
    path.unlink()
    path.write_bytes(b"<c/>")
    list(end.channel.receive())
    assert swap(lambda: path.write_bytes(b"<half")) == []


@pytest.mark.parametrize("name", ["in", "out", "done", "tmp"])
def test_a_folder_that_leads_elsewhere_is_not_used(end: FolderEnd, tmp_path: Path, name: str) -> None:
    """A sandbox's `out` that is a link to that of production would carry over what may not go there."""
    place = end.path / name
    if place.exists():
        place.rmdir()
    (tmp_path / "production").mkdir()
    place.symlink_to(tmp_path / "production")
    with pytest.raises(UndeliveredError, match="is a link"):
        end.channel.send(Outgoing("121-1", "121", "sandbox-2026", b"<CDSDATA/>"))
    with pytest.raises(UndeliveredError, match="is a link"):
        list(end.channel.receive())
    assert list((tmp_path / "production").iterdir()) == []


def test_a_folder_that_is_not_there_is_not_made(end: FolderEnd) -> None:
    end.go_down()
    with pytest.raises(UndeliveredError, match="cannot be read"):
        list(end.channel.receive())
    assert not end.path.exists()
