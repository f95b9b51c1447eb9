"""Documents set by typst: a template and its data give a PDF; the same give the same bytes.

What changes from document to document lies in files of memory, whose paths are in `sys.inputs` and stay the same: with
other `sys.inputs` typst would lay everything out anew, as if its library were another one. Such a file has no name in
any folder, so that a killed process leaves nothing of anybody behind.
"""

import json
import os
import re
import threading
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from io import FileIO
from pathlib import Path
from typing import Any, Final

import typst

from central.documents.texts import clean_all

_NOT_SHOWN = re.compile(r'the text `"(.*?)"` could not be displayed', re.DOTALL)
_ESCAPED = re.compile(r"\\u\{([0-9a-f]+)\}")
_ODD = re.compile(r"\\u00[01]|[\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""What is not clean, in JSON: control characters are escaped there."""
PATIENCE = 20
"""So many scripts are replaced one by one; then all that is not Latin, Greek, Cyrillic or punctuation."""
DATA: Final = "data"
"""The name of the data in `sys.inputs`."""
UNKNOWN = "?"
"""Printed for a character that no font has; ISDOC and data keep it."""


def render_pdf(template: Path, data: Mapping[str, Any], stamp: datetime) -> bytes:
    """The document as PDF; `stamp` is the time that it bears."""
    return _compiled(template, data, format="pdf", timestamp=stamp)[0]


def render_archive_pdf(template: Path, data: Mapping[str, Any], texts: Mapping[str, str], stamp: datetime) -> bytes:
    """The document as PDF/A-3b, without tags; the template finds the paths of `texts` beside that of the
    data in `sys.inputs`, to attach."""
    made = _compiled(template, data, texts, format="pdf", timestamp=stamp, pdf_standards="a-3b", pdf_tags=False)
    return made[0]


def render_pages(template: Path, data: Mapping[str, Any], ppi: float = 110.0) -> list[bytes]:
    """The document's pages as PNG pictures, for looking at and for tests."""
    return _compiled(template, data, format="png", ppi=ppi)


def _compiled(
    template: Path, data: Mapping[str, Any], texts: Mapping[str, str] | None = None, **options: Any
) -> list[bytes]:
    """Compile; PDF/A refuses a text that no font has, which is then replaced: a name must not stop a document."""
    told = json.dumps(data, ensure_ascii=False)
    if _ODD.search(told):
        told = json.dumps(clean_all(data), ensure_ascii=False)
    press = _press(template, tuple(sorted(texts or ())))
    press.put(texts or {})
    for turn in range(PATIENCE + 2):
        try:
            press.put({DATA: told})
            return _files(press.compiler.compile(**options), template)
        except typst.TypstError as error:
            found = _NOT_SHOWN.search(str(error))
            replaced = told if found is None else _without(told, _unescaped(found[1]), all_=turn >= PATIENCE)
            if replaced == told:
                raise
            told = replaced
    raise RuntimeError(f"The fonts do not show what {template.stem} is to print, whatever is left out of it.")


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)


def _without(told: str, missing: str, *, all_: bool) -> str:
    """The data with "?" for the characters that are missing, and for all others of their script."""
    scripts = {_script(each) for each in missing} - {""}
    # a plain character is missing only together with an odd one beside it, such as a selector of its form
    all_ = all_ or missing.isascii()
    return "".join(
        UNKNOWN if ord(each) > 0x7E and (each in missing or _script(each) in scripts or (all_ and _far(each))) else each
        for each in told
    )


def _script(character: str) -> str:
    """The first word of a character's name: CJK, HANGUL, LATIN, ...; empty where it stands for nothing common."""
    word = unicodedata.name(character, "").partition(" ")[0]
    return word if word not in ("LATIN", "GREEK", "CYRILLIC") else ""


def _far(character: str) -> bool:
    code = ord(character)
    known = code <= 0x52F or 0x2010 <= code <= 0x203A or character in "€−≤≥"
    return not known or unicodedata.category(character)[0] in "MC"


def _files(compiled: bytes | list[bytes] | None, template: Path) -> list[bytes]:
    """What the compiler gives: one file, one for each page, or nothing where it was told to write itself."""
    if compiled is None:
        raise RuntimeError(f"The typst compiler returned no file for {template.stem}.")
    return [compiled] if isinstance(compiled, bytes) else compiled


class _Press:
    """A compiler of one template, and the files of memory that the template reads. Not for two threads at a time."""

    def __init__(self, template: Path, names: tuple[str, ...]) -> None:
        self._files = {name: FileIO(os.memfd_create(name), "wb") for name in names}
        # only the fonts inside the wheel: a fresh machine has no others, and the result must not depend on it
        self.compiler = typst.Compiler(
            str(template),
            root="/",
            ignore_system_fonts=True,
            sys_inputs={name: f"/proc/self/fd/{file.fileno()}" for name, file in self._files.items()},
        )

    def put(self, texts: Mapping[str, str]) -> None:
        for name, content in texts.items():
            file = self._files[name]
            file.seek(0)
            file.truncate()
            file.write(content.encode())


_kept = threading.local()


def _press(template: Path, names: tuple[str, ...]) -> _Press:
    """The thread's own press of a template; a process that was forked off does not share the files of the first."""
    if getattr(_kept, "process", None) != os.getpid():
        _kept.process, _kept.presses = os.getpid(), {}
    presses: dict[tuple[Path, tuple[str, ...]], _Press] = _kept.presses
    if (template, names) not in presses:
        presses[template, names] = _Press(template, (DATA, *names))
    return presses[template, names]
