"""Tables set by columns: one paragraph for a column of a group of rows, where every text stays on its line.

A template needs a small part of the time for it that it needs for a cell of each text; so it is done wherever the texts
surely fit beside each other. Sizes are the template's, in points.
"""

import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from math import inf
from typing import Any, Final, NamedTuple, TypeAlias

from central.invoicing.wording import SPACE

ROOM: Final = 493.0
"""Between the margins of a page, 174 mm."""
PADDING: Final = 8.0
"""Left and right of the text of a column together."""
GROUP: Final = 12
"""So many rows are not parted by the end of a page."""
SIZES: Final = {"": 9.5, "soft": 9.5, "caption": 8.0, "raised": 5.7}
"""Of the styles in which a text is set."""

WIDTHS: Final = {
    0.25: f",.:;| {SPACE}",
    0.3: "!()I\\ijl{}'",
    0.35: '"-/Jft²³',
    0.4: "*[]`rsť",
    0.45: "?cez~",
    0.5: "#$0123456789FS_abgvx€",
    0.55: "+<=>LP^dhknopquy–−≤≥×ßđł",
    0.6: "BERTY",
    0.65: "%CKZ",
    0.7: "AGNUVX",
    0.75: "&DHOQw—…",
    0.85: "mM",
    1.0: "@W",
}
"""Of characters in Libertinus Serif, not less than they take, in ems; a letter with a mark is as wide as without, where
it is not given by itself. A test measures them all in the font."""
_BY_CHARACTER: Final = {character: width for width, characters in WIDTHS.items() for character in characters}


BREAK: Final = "\n"
"""Alone in a run: the rest stands on the next line."""


class Run(NamedTuple):
    """A text in one style of SIZES."""

    style: str
    text: str


Row: TypeAlias = Sequence[Sequence[Run]]
"""The texts of each cell, one at least."""


def sheet(heads: Sequence[str], rows: Sequence[Row], stretched: Sequence[int]) -> dict[str, Any]:
    """What a template sets as a table; the columns `stretched` share the room that is left.

    `widths` are in points, None for the stretched; "auto" where not all `fits` surely, and then each row is a group of
    its own. A group has the number of its `lines`, of each column the runs, and as `stripes` between which
    lines every second row lies.
    """
    widths = [max(texts) + PADDING for texts in zip(*map(_widths, rows), map(_width_of_head, heads), strict=True)]
    firm = sum(width for place, width in enumerate(widths) if place not in stretched)
    if firm + len(stretched) * max(widths[place] for place in stretched) > ROOM:
        return {
            "fits": False,
            "widths": [None if place in stretched else "auto" for place in range(len(heads))],
            "groups": [_group([row], place) for place, row in enumerate(rows)],
        }
    return {
        "fits": True,
        "widths": [None if place in stretched else round(width, 1) for place, width in enumerate(widths)],
        "groups": [_group(rows[first : first + GROUP], first) for first in range(0, len(rows), GROUP)],
    }


def fit_beside(labels: Sequence[str], values: Sequence[str], room: float) -> bool:
    """Whether labels (captions) and values surely stay on a line each, beside each other in so many points."""
    widest = (max(map(width, texts), default=0.0) * size for texts, size in ((labels, 8.0), (values, 9.5)))
    return sum(widest) <= room


@lru_cache(10_000)
def width(text: str) -> float:
    """What a text takes at most, in ems; infinite where it would not stay on a line or its script is unknown."""
    return sum(map(_width_of, text))


def _width_of(character: str) -> float:
    known = _BY_CHARACTER.get(character)
    return _BY_CHARACTER.get(unicodedata.normalize("NFD", character)[0], inf) if known is None else known


def _widths(row: Row) -> list[float]:
    return [max(map(_width_of_line, _lines(cell))) for cell in row]


def _width_of_line(line: Sequence[Run]) -> float:
    return sum(width(run.text) * SIZES[run.style] for run in line)


def _width_of_head(text: str) -> float:
    return width(text) * SIZES["caption"]


def _lines(cell: Sequence[Run]) -> list[list[Run]]:
    """A cell's runs by line."""
    lines: list[list[Run]] = [[]]
    for style, text in cell:
        if text == BREAK:
            lines.append([])
        else:
            lines[-1].append(Run(style, text))
    return lines


def _group(rows: Sequence[Row], first: int) -> dict[str, Any]:
    heights = [1 + max(sum(run.text == BREAK for run in cell) for cell in row) for row in rows]
    ends = list(accumulate(heights))
    return {
        "lines": ends[-1],
        "stripes": [
            [end - height, end]
            for place, (end, height) in enumerate(zip(ends, heights, strict=True), start=first)
            if place % 2
        ],
        "columns": [_column([row[place] for row in rows], heights) for place in range(len(rows[0]))],
    }


def _column(cells: Sequence[Sequence[Run]], heights: Sequence[int]) -> list[list[str]]:
    """The runs of a column, neighbours of one style together; a cell of fewer lines than its row is filled up."""
    runs: list[list[str]] = []
    for cell, height in zip(cells, heights, strict=True):
        missing = height - 1 - sum(run.text == BREAK for run in cell)
        for style, text in (*cell, *(Run(cell[0].style, BREAK + SPACE) for _ in range(missing))):
            if runs and runs[-1][0] == style:
                runs[-1][1] += text or SPACE
            else:
                runs.append([style, text or SPACE])
        runs[-1][1] += BREAK
    runs[-1][1] = runs[-1][1].removesuffix(BREAK)
    return runs
