"""Key files and key texts."""

from pathlib import Path

import pytest

from shared.control.keys import KeyFileError, key_text, make_key_file, parse_key, read_key_file


def test_a_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "control.key"
    private = make_key_file(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_key_file(path) == private
    with pytest.raises(KeyFileError, match="is there already"):
        make_key_file(path)
    assert read_key_file(path) == private


@pytest.mark.parametrize(("content", "mode"), [("c2hvcnQ=\n", 0o600), ("no base64!\n", 0o600), ("ě", 0o600)])
def test_a_file_that_holds_no_key_is_refused_without_showing_it(tmp_path: Path, content: str, mode: int) -> None:
    path = tmp_path / "control.key"
    path.write_text(content)
    path.chmod(mode)
    with pytest.raises(KeyFileError) as caught:
        read_key_file(path)
    assert content.strip() not in str(caught.value)


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "control.key"
    make_key_file(path)
    path.chmod(0o640)
    with pytest.raises(KeyFileError, match="chmod 600"):
        read_key_file(path)
    with pytest.raises(KeyFileError, match="cannot be read"):
        read_key_file(tmp_path / "none")


def test_a_public_key_travels_as_text() -> None:
    assert parse_key(key_text(bytes(range(32))), "The key") == bytes(range(32))
    for wrong in ("", "AAAA", "é", key_text(bytes(33))):
        with pytest.raises(KeyFileError, match="44 characters"):
            parse_key(wrong, "The key")
