"""What stands on rendered pages: the texts of a PDF by its fonts' maps, the ink of a picture, a QR code in it."""

from __future__ import annotations

import re
from io import BytesIO
from typing import Any

import numpy as np
import pikepdf
from numpy.typing import NDArray
from PIL import Image

from central.documents.qr import modules
from central.invoicing.printed import QUIET_ZONE

Pixels = NDArray[np.bool_]

MODULE_PX = 4
QR_MM = 34
_SECTIONS = re.compile(rb"begin(bfchar|bfrange)(.*?)end", re.DOTALL)
_CODES = re.compile(rb"<([0-9a-fA-F]+)>|\[|\]")


def texts_of(pdf: bytes) -> list[str]:
    """The text of each page, in the order in which it is set, as a reader would copy it."""
    with pikepdf.open(BytesIO(pdf)) as read:
        return [_text(page) for page in read.pages]


def dark(png: bytes) -> Pixels:
    """Where a page's picture has ink: (rows, columns)."""
    grey = np.asarray(Image.open(BytesIO(png)).convert("L"))
    return grey < 128


def ppi_of(text: str) -> float:
    """The resolution in which a module of the printed QR code is MODULE_PX wide."""
    return MODULE_PX * (len(modules(text)) + 2 * QUIET_ZONE) * 25.4 / QR_MM


def holds_qr(ink: Pixels, text: str) -> float:
    """The share of a QR code's modules, its quiet zone included, that stand on the page at the place that fits best.

    The picture is of `ppi_of` the text.
    """
    code = np.pad(np.array([[bit == "1" for bit in row] for row in modules(text)]), QUIET_ZONE)
    size = len(code)
    kernel = np.zeros(ink.shape)
    middle = np.arange(size) * MODULE_PX + MODULE_PX // 2
    kernel[np.ix_(middle, middle)] = np.where(code, 1, -1)
    spectrum = np.fft.rfft2(np.where(ink, 1, -1)) * np.conj(np.fft.rfft2(kernel))
    score = float(np.fft.irfft2(spectrum, ink.shape).max())
    return (score / size**2 + 1) / 2


def _text(page: pikepdf.Page) -> str:
    fonts = {name: _unicode(font) for name, font in page.resources.Font.items()}
    font: dict[int, str] = {}
    found: list[str] = []
    for instruction in pikepdf.parse_content_stream(page):
        operands: Any = instruction.operands
        match str(instruction.operator):
            case "Tf":
                font = fonts[str(operands[0])]
            case "Tj":
                found.append(_shown(bytes(operands[0]), font))
            case "TJ":
                found += [_shown(bytes(each), font) for each in operands[0] if isinstance(each, pikepdf.String)]
            case "ET":
                found.append("\n")
    return "".join(found)


def _shown(codes: bytes, font: dict[int, str]) -> str:
    return "".join(font.get(int.from_bytes(codes[at : at + 2], "big"), "�") for at in range(0, len(codes), 2))


def _unicode(font: Any) -> dict[int, str]:
    """A font's map of two-byte codes to texts."""
    known: dict[int, str] = {}
    for kind, body in _SECTIONS.findall(font.ToUnicode.read_bytes()):
        for line in body.strip().splitlines():
            codes = [bytes.fromhex(code.decode()) for code in _CODES.findall(line) if code]
            first = int.from_bytes(codes[0], "big")
            if kind == b"bfchar":
                known[first] = codes[1].decode("utf-16-be")
            else:
                last, begin = int.from_bytes(codes[1], "big"), int.from_bytes(codes[2], "big")
                known |= {first + step: chr(begin + step) for step in range(last - first + 1)}
    return known
