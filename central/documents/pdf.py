"""Documents set by typst: a template and its data give a PDF; the same give the same bytes."""

import json
import threading
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import typst


def render_pdf(template: Path, data: Mapping[str, Any], stamp: datetime) -> bytes:
    """The document as PDF; `stamp` is the time that it bears."""
    return _files(_compiler(template).compile(format="pdf", sys_inputs=_inputs(data), timestamp=stamp), template)[0]


def render_archive_pdf(template: Path, data: Mapping[str, Any], texts: Mapping[str, str], stamp: datetime) -> bytes:
    """The document as PDF/A-3b, without tags; the template finds `texts` beside the data in `sys.inputs`, to attach."""
    compiled = _compiler(template).compile(
        format="pdf", sys_inputs={**_inputs(data), **texts}, timestamp=stamp, pdf_standards="a-3b", pdf_tags=False
    )
    return _files(compiled, template)[0]


def render_pages(template: Path, data: Mapping[str, Any], ppi: float = 110.0) -> list[bytes]:
    """The document's pages as PNG pictures, for looking at and for tests."""
    return _files(_compiler(template).compile(format="png", ppi=ppi, sys_inputs=_inputs(data)), template)


def _files(compiled: bytes | list[bytes] | None, template: Path) -> list[bytes]:
    """What the compiler gives: one file, one for each page, or nothing where it was told to write itself."""
    if compiled is None:
        raise RuntimeError(f"The typst compiler returned no file for {template.stem}.")
    return [compiled] if isinstance(compiled, bytes) else compiled


def _inputs(data: Mapping[str, Any]) -> dict[str, str]:
    return {"data": json.dumps(data, ensure_ascii=False)}


_kept = threading.local()


def _compiler(template: Path) -> typst.Compiler:
    """The thread's own compiler of a template: one is not for two threads at a time."""
    if not hasattr(_kept, "compilers"):
        _kept.compilers = {}
    compilers: dict[Path, typst.Compiler] = _kept.compilers
    if template not in compilers:
        # only the fonts inside the wheel: a fresh machine has no others, and the result must not depend on it
        compilers[template] = typst.Compiler(str(template), root=str(template.parent), ignore_system_fonts=True)
    return compilers[template]
