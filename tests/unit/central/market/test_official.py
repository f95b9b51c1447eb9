"""The operator's archive of schemas: what fits becomes official, what differs is told, what is dangerous is refused."""

import io
import json
import multiprocessing
import os
import signal
import warnings
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from central.market import format_package
from central.market.channels.allowed import FormatStatus, format_status
from central.market.errors import FormatError
from central.market.format_package import (
    FORMATS_FOLDER,
    FormatPackage,
    files_of_schema,
    load_package,
    package_valid_on,
    read_package,
)
from central.market.official import bounded as official_bounded
from central.market.official import install
from central.market.official.archive import read_archive, read_bounded
from central.market.official.bounded import Bounds, import_bounded
from central.market.official.install import (
    Imported,
    import_schemas,
    make_package,
    making_folder,
    parse_mappings,
)
from central.platform.settings import Settings
from deploy import market_command

PACKAGE = load_package("sandbox-2026")
SANDBOX = FORMATS_FOLDER / "sandbox"
DAY = date(2027, 1, 1)


def archive(**files: bytes | str) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in files.items():
            made.writestr(name.replace("__", "/").replace("_xsd", ".xsd"), content)
    return held.getvalue()


def twice(name: str) -> bytes:
    held = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(held, "w") as made:
        warnings.simplefilter("ignore")
        made.writestr(name, "<x/>")
        made.writestr(name, "<y/>")
    return held.getvalue()


def schema(name: str, *changes: tuple[str, str]) -> str:
    text = (SANDBOX / name).read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


def brought(folder: Path, *changes: tuple[str, str], **more: bytes) -> Imported:
    """The archive with the envelope and a schema of CDSREQ that differs from ours by `changes`."""
    content = archive(
        electricity__envelope_xsd=schema("envelope.xsd"), electricity__cdsreq_xsd=schema("cdsreq.xsd", *changes)
    )
    return import_schemas(PACKAGE, [content], "official-2027", DAY, folder, more)


def codes_of(*formats: str) -> set[str]:
    return {entry.code for entry in PACKAGE.data.messages if entry.format in formats}


def told(imported: Imported) -> set[tuple[str, str]]:
    return {(difference.path, difference.sentence) for difference in imported.differences}


def test_what_our_message_satisfies_becomes_official_and_nothing_else(tmp_path: Path) -> None:
    imported = brought(tmp_path, ("schema/cds/request", "schema/cds/request/2027"))
    assert imported.schemas == {"CDSREQ": "electricity/cdsreq.xsd"}
    assert told(imported) == {
        (
            "",
            "the namespace is http://www.ote-cr.cz/schema/cds/request/2027, we wrote "
            "http://www.ote-cr.cz/schema/cds/request",
        )
    }
    package = read_package(tmp_path / "official-2027" / "official-2027.json")
    assert package.format("CDSREQ").namespace == "http://www.ote-cr.cz/schema/cds/request/2027"
    assert official(package) == codes_of("CDSREQ")
    assert package.is_sandbox, "as a whole it keeps the ban on production"
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("old", "new", "path", "sentence"),
    [
        ('name="date-to"', 'name="date-until"', "Location/@date-to", "the official format has no such attribute"),
        (
            'name="date-to"',
            'name="date-until"',
            "Location/@date-until",
            "the official format needs it, we do not map it",
        ),
        (
            'name="version" type="Whole"',
            'name="version" type="Whole" use="required"',
            "Location/@version",
            "the official format needs it, we may leave it out",
        ),
        (
            'name="date-from" type="Day"',
            'name="date-from" type="UtcInstant"',
            "Location/@date-from",
            "the official type is dateTime, we write date",
        ),
        (
            'value="A12"',
            'value="B12"',
            "Location/@value-type",
            "the official list lacks A12 of our code list value_type",
        ),
        ('value="A12"', 'value="B12"', "Location/@value-type", "our code list value_type lacks B12"),
        ('name="Location"', 'name="Place"', "Location", "the official format has no such element"),
        ('name="Location"', 'name="Place"', "Place", "the official format needs it, we do not map it"),
    ],
)
def test_what_differs_is_told_and_stays_ours(tmp_path: Path, old: str, new: str, path: str, sentence: str) -> None:
    imported = brought(tmp_path, (old, new))
    assert (path, sentence) in told(imported)
    request = next(item for item in imported.messages if item.code == "XR1")
    assert not request.is_official
    assert "CDSREQ" in request.why
    assert read_package(tmp_path / "official-2027" / "official-2027.json").is_sandbox_message("XR1")


def test_another_mapping_brings_the_message_over(tmp_path: Path) -> None:
    mapping = json.loads((SANDBOX / "cdsreq.json").read_text(encoding="utf-8"))
    mapping["payload"][0]["attributes"][2]["name"] = "date-until"
    renamed = ('name="date-to"', 'name="date-until"')
    imported = brought(tmp_path, renamed, CDSREQ=json.dumps(mapping).encode())
    assert told(imported) == set()
    assert {item.code for item in imported.messages if item.is_official} == codes_of("CDSREQ")


def test_the_fast_writers_are_tried_as_well(tmp_path: Path) -> None:
    content = archive(
        **{name.replace(".", "_"): schema(name) for name in ("envelope.xsd", "cdsdata.xsd", "response.xsd")}
    )
    imported = import_schemas(PACKAGE, [content], "official-2027", DAY, tmp_path)
    assert {item.code for item in imported.messages if item.is_official} == codes_of("CDSDATA", "RESPONSE")


def test_an_archive_of_every_schema_brings_every_sample_over(tmp_path: Path) -> None:
    names = {file.name: file.read_text(encoding="utf-8") for file in SANDBOX.glob("*.xsd")}
    content = archive(**{name.replace(".", "_"): text for name, text in names.items()})
    imported = import_schemas(PACKAGE, [content], "official-2027", DAY, tmp_path)
    assert told(imported) == set()
    with_schema = codes_of(*(entry.name for entry in PACKAGE.data.formats if entry.schema))
    assert {item.code for item in imported.messages if item.is_official} == with_schema


def files(*names: str, **changes: tuple[str, str]) -> bytes:
    """An archive with our schemas of those names, as they are or with a change."""
    held = {name: schema(name, *([changes[name[:-4]]] if name[:-4] in changes else [])) for name in names}
    return archive(**{f"xsd__{name}".replace(".", "_"): text for name, text in held.items()})


def official(package: FormatPackage) -> set[str]:
    return {entry.code for entry in package.data.messages if not package.is_sandbox_message(entry.code)}


def test_an_import_replaces_what_was_before_as_a_whole(tmp_path: Path) -> None:
    """No schema of one release takes in a part of another, and what a release has not is not official any more."""
    renamed = ("schema/cds/request", "schema/cds/request/2027")
    import_schemas(PACKAGE, [files("envelope.xsd", "cdsreq.xsd", cdsreq=renamed)], "first", DAY, tmp_path)
    first = read_package(tmp_path / "first" / "first.json")
    assert official(first) == codes_of("CDSREQ")
    longer = ("<xs:schema xmlns", "<!-- the second release --><xs:schema xmlns")
    content = files("envelope.xsd", "response.xsd", envelope=longer)
    second = import_schemas(first, [content], "second", date(2028, 1, 1), tmp_path)
    package = read_package(tmp_path / "second" / "second.json")
    assert official(package) == codes_of("RESPONSE")
    assert next(item.why for item in second.messages if item.code == "XR1") == "the archive has no schema of CDSREQ"

    def envelope_of(format_name: str) -> str:
        found = files_of_schema(package.folder / str(package.format(format_name).schema))
        return next(file.read_text(encoding="utf-8") for file in found if file.name == "envelope.xsd")

    assert "the second release" in envelope_of("RESPONSE")
    assert "the second release" not in envelope_of("CDSREQ")
    assert package.format("CDSREQ").namespace.endswith("/2027"), "it is still read and written as it was"
    assert first.digest in package.data.source

    content = files("envelope.xsd", "cdsreq.xsd", "cdsmasterdata.xsd", cdsreq=renamed)
    import_schemas(package, [content], "third", date(2029, 1, 1), tmp_path)
    third = read_package(tmp_path / "third" / "third.json")
    assert official(third) == codes_of("CDSREQ", "CDSMASTERDATA"), "samples are read in whichever layout they are"


def test_archives_of_one_release_are_taken_in_together(tmp_path: Path) -> None:
    electricity, gas = files("envelope.xsd", "cdsreq.xsd"), files("envelope.xsd", "response.xsd")
    import_schemas(PACKAGE, [electricity, gas], "both", DAY, tmp_path)
    assert official(read_package(tmp_path / "both" / "both.json")) == codes_of("CDSREQ", "RESPONSE")
    other = files("envelope.xsd", "cdsreq.xsd", cdsreq=("schema/cds/request", "schema/cds/request/2028"))
    with pytest.raises(FormatError, match=r"Several schemas describe CDSREQ: xsd/cdsreq\.xsd, xsd/cdsreq\.xsd"):
        import_schemas(PACKAGE, [electricity, other], "mixed", DAY, tmp_path)
    import_schemas(PACKAGE, [electricity, electricity], "twice", DAY, tmp_path)


def test_an_archive_with_two_releases_is_refused_and_an_umbrella_is_none(tmp_path: Path) -> None:
    plain = {"envelope_xsd": schema("envelope.xsd"), "cdsreq_xsd": schema("cdsreq.xsd")}
    old = {f"old__{name}": text for name, text in plain.items()}
    new = {"new__envelope_xsd": schema("envelope.xsd"), "new__cdsreq_xsd": schema("cdsreq.xsd")}
    new["new__cdsreq_xsd"] = new["new__cdsreq_xsd"].replace("</xs:schema>", "<!-- 2028 --></xs:schema>")
    with pytest.raises(FormatError, match=r"new/cdsreq\.xsd, old/cdsreq\.xsd"):
        import_schemas(PACKAGE, [archive(**old, **new)], "official-2027", DAY, tmp_path)
    namespace = PACKAGE.format("CDSREQ").namespace
    umbrella = (
        f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="{namespace}">'
        '<xs:include schemaLocation="cdsreq.xsd"/></xs:schema>'
    )
    imported = import_schemas(PACKAGE, [archive(a_xsd=umbrella, **plain)], "official-2027", DAY, tmp_path)
    assert imported.schemas == {"CDSREQ": "cdsreq.xsd"}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ('<xs:include schemaLocation="cdsreq.xsd"/><xs:element name="CDSREQ"/>', "cannot be used"),
        ('<xs:element name="CDSREQ"/><xs:element name="CDSREQ2" type="Unknown"/>', None),
        (
            '<xs:element name="CDSREQ"><xs:complexType><xs:sequence minOccurs="30000" maxOccurs="30000">'
            '<xs:sequence maxOccurs="100000"><xs:element name="x" minOccurs="300" maxOccurs="1000000"/></xs:sequence>'
            "</xs:sequence></xs:complexType></xs:element>",
            "does not satisfy the schema",
        ),
    ],
)
def test_a_schema_that_cannot_be_used_makes_nothing_official(tmp_path: Path, body: str, why: str | None) -> None:
    namespace = PACKAGE.format("CDSREQ").namespace
    text = (
        f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns="{namespace}" targetNamespace="{namespace}">'
        f"{body}</xs:schema>"
    )
    if why is None:
        with pytest.raises(FormatError, match=r"cdsreq\.xsd cannot be read"):
            import_schemas(PACKAGE, [archive(cdsreq_xsd=text)], "official-2027", DAY, tmp_path)
        return
    imported = import_schemas(PACKAGE, [archive(cdsreq_xsd=text)], "official-2027", DAY, tmp_path)
    assert not any(item.is_official for item in imported.messages)
    assert why in next(item.why for item in imported.messages if item.code == "XR1")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"no zip", "no zip file"),
        (archive(readme="nothing"), "no .xsd file"),
        (archive(a_xsd='<!DOCTYPE x [<!ENTITY a "b">]><x/>'), "document type declaration"),
        (archive(a_xsd="<xs:schema"), "a.xsd cannot be read"),
        (archive(a_xsd='<!DOCTYPE x [<!ENTITY a "b">]><x/>'.encode("utf-16")), "encoding that contains ASCII"),
        (archive(a_xsd='<?xml version="1.0" encoding="utf-7"?><x/>'), "in the encoding utf-7"),
        (archive(a_xsd="<a>" * 70 + "</a>" * 70), "nested deeper than 60 levels"),
        (archive(a_xsd="<x/>", a_xsd__b_xsd="<x/>"), "a schema as a folder"),
        (twice("a.xsd"), "the schema a.xsd twice"),
        (archive(**{"n" * 300 + "_xsd": "<x/>"}), "cannot be written: File name too long"),
        (archive(a_xsd='<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"/>'), "None of the archive's 1 schemas"),
        (
            archive(
                a_xsd='<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">'
                '<xs:include schemaLocation="http://example.com/b.xsd"/></xs:schema>'
            ),
            "outside its folder",
        ),
        (
            archive(
                a_xsd='<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">'
                '<xs:include schemaLocation="../../secret.xsd"/></xs:schema>'
            ),
            "outside its folder",
        ),
    ],
)
def test_an_archive_that_is_none_is_refused_and_leaves_nothing(tmp_path: Path, content: bytes, sentence: str) -> None:
    with pytest.raises(FormatError, match=sentence):
        import_schemas(PACKAGE, [content], "official-2027", DAY, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_bomb_and_a_way_out_of_the_folder_are_refused() -> None:
    with pytest.raises(FormatError, match="more than 50000000 octets"):
        read_archive(archive(a_xsd=b"\0" * 60_000_000))
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as made:
        made.writestr("../../evil.xsd", "<x/>")
    with pytest.raises(FormatError, match="outside its folder"):
        read_archive(held.getvalue())


def packed(method: int) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", method) as made:
        made.writestr("a.xsd", "<x/>")
    return held.getvalue()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (archive(**{f"s{number}_xsd": "<x/>" for number in range(501)}), "more than 500 schemas"),
        (archive(**{f"f{number}": "" for number in range(2_001)}), "has 2001 members"),
        (archive(**{"a__" * 20 + "b_xsd": "<x/>"}), "lies too deep"),
        (packed(zipfile.ZIP_LZMA), "packed by the method 14"),
        (packed(zipfile.ZIP_BZIP2), "packed by the method 12"),
        (archive(a_xsd="<a>" + "<b/>" * 1_000_000 + "</a>"), "at most 1000000 are taken"),
    ],
)
def test_more_than_anybody_means_is_refused(content: bytes, sentence: str) -> None:
    with pytest.raises(FormatError, match=sentence):
        read_archive(content)


def test_files_are_read_up_to_their_bounds(tmp_path: Path) -> None:
    file = tmp_path / "a.zip"
    file.write_bytes(b"1234")
    assert read_bounded(file, 4) == b"1234"
    with pytest.raises(FormatError, match=r"a\.zip has more than 3 octets"):
        read_bounded(file, 3)
    file.write_bytes(b" " * 1_000_001)
    with pytest.raises(FormatError, match="more than 1000000 octets"):
        dict(parse_mappings([f"EDIGAS={file}"]))
    with pytest.raises(FormatError, match="11 archives are given; at most 10"):
        import_bounded("sandbox-2026", [file] * 11, "official-2027", DAY, tmp_path, {})


@pytest.mark.parametrize(
    ("bounds", "sentence"),
    [
        (Bounds(seconds=0.01), "not taken in within 0.01 seconds"),
        (Bounds(memory=30_000_000), "more than 240 seconds of work or 30000000 octets"),
    ],
)
def test_what_takes_too_long_or_too_much_installs_nothing(tmp_path: Path, bounds: Bounds, sentence: str) -> None:
    file, folder = tmp_path / "a.zip", tmp_path / "formats"
    file.write_bytes(archive(envelope_xsd=schema("envelope.xsd"), cdsreq_xsd=schema("cdsreq.xsd")))
    (folder / ".official-2027.making").mkdir(parents=True)
    with pytest.raises(FormatError, match=sentence):
        import_bounded("sandbox-2026", [file], "official-2027", DAY, folder, {}, bounds)
    assert not list(folder.iterdir()), "what was being made is gone"
    with pytest.raises(FormatError, match="letters, digits"):
        import_bounded("sandbox-2026", [file], "./../x", DAY, folder, {})


def _cdsreq() -> bytes:
    return archive(envelope_xsd=schema("envelope.xsd"), cdsreq_xsd=schema("cdsreq.xsd"))


def _killed(step: str, folder: Path, *, bounded: bool) -> None:
    """An import that is killed at a step: before or after a function of `install`."""
    name, _, when = step.partition(" ")
    real = getattr(install, name)

    def dies(*arguments: Any) -> Any:
        result = real(*arguments) if when == "after" else None
        os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(install, name, dies)
    if bounded:
        setattr(official_bounded, name, dies)
        import_bounded("sandbox-2026", [folder.parent / "a.zip"], "official-2027", DAY, folder, {})
    else:
        import_schemas(PACKAGE, [_cdsreq()], "official-2027", DAY, folder)


@pytest.mark.parametrize(
    ("step", "bounded", "is_installed"),
    [
        ("_make_folder after", False, False),
        ("_copy after", False, False),
        ("_write after", False, False),
        ("_try before", False, False),
        ("install before", False, False),
        ("install after", False, True),
        ("install before", True, False),
        ("install after", True, True),
    ],
)
def test_an_import_that_is_killed_has_installed_all_or_nothing(
    tmp_path: Path, step: str, bounded: bool, is_installed: bool
) -> None:
    folder = tmp_path / "formats"
    (tmp_path / "a.zip").write_bytes(_cdsreq())
    process = multiprocessing.get_context("fork").Process(
        target=_killed, args=(step, folder), kwargs={"bounded": bounded}
    )
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
    file = folder / "official-2027" / "official-2027.json"
    assert file.is_file() is is_installed
    if is_installed:
        assert read_package(file).message("XR1").status == "official"
        with pytest.raises(FormatError, match="There is a format package official-2027 already"):
            import_schemas(PACKAGE, [_cdsreq()], "official-2027", DAY, folder)
    else:
        import_schemas(PACKAGE, [_cdsreq()], "official-2027", DAY, folder)
    assert [each.name for each in folder.iterdir()] == ["official-2027"], "what the killed one left is gone"


def test_of_two_imports_at_once_the_first_installs_and_the_other_says_so(tmp_path: Path) -> None:
    with making_folder(tmp_path, "official-2027") as making:
        made = make_package(PACKAGE, [_cdsreq()], "official-2027", DAY, making)
        (making / "mark").touch()
        import_schemas(PACKAGE, [_cdsreq()], "official-2027", DAY, tmp_path)
        assert (making / "mark").exists(), "nobody drops what is being made"
        with pytest.raises(FormatError, match="There is a format package official-2027 already"):
            install.install(made, making, tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["official-2027"]
    assert not (tmp_path / "official-2027" / "mark").exists()


def test_a_name_is_used_once(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="There is a format package sandbox-2026"):
        import_schemas(PACKAGE, [archive(a_xsd="<x/>")], "sandbox-2026", DAY, tmp_path)
    with pytest.raises(FormatError, match="letters, digits"):
        import_schemas(PACKAGE, [archive(a_xsd="<x/>")], "../x", DAY, tmp_path)


def test_the_command_installs_where_messages_are_looked_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(market_command, "get_settings", lambda: Settings(home=tmp_path))
    monkeypatch.setattr(format_package, "_FOLDERS", {})
    file = tmp_path / "official.zip"
    file.write_bytes(archive(envelope_xsd=schema("envelope.xsd"), cdsreq_xsd=schema("cdsreq.xsd")))
    assert (
        market_command.main(["import-schemas", str(file), "--valid-from", "2027-01-01", "--base", "sandbox-2026"]) == 0
    )
    said = capsys.readouterr().out
    assert "message XR1 (CDSREQ) official: its sample satisfies the operator's schema" in said
    assert "message 111 (CDSMASTERDATA) sandbox: the archive has no schema of CDSMASTERDATA" in said
    assert (tmp_path / "market-formats" / "official-2027-01-01" / "official-2027-01-01.json").is_file()
    installed = load_package("official-2027-01-01")
    assert format_status(installed.name, "111", installed.digest) is FormatStatus.SANDBOX
    assert format_status(installed.name, "XR1", installed.digest) is FormatStatus.OFFICIAL
    for other in (None, "", PACKAGE.digest, installed.digest.upper()):
        assert format_status(installed.name, "XR1", other) is FormatStatus.SANDBOX, "another edition of that name"
    assert package_valid_on(date(2027, 1, 1)).name == "official-2027-01-01"
    assert market_command.main(["formats"]) == 0
    assert "official-2027-01-01  from 2027-01-01  official: XR1" in capsys.readouterr().out
    assert market_command.main(["import-schemas", str(tmp_path / "none.zip")]) == 2
    assert "No such file" in capsys.readouterr().err
