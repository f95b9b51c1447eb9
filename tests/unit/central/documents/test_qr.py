"""QR codes are, module for module, those of a general encoder, in every version and to the last character."""

import random

import pytest
import segno
from segno import encoder

from central.documents.qr import LARGEST, capacity, modules

LETTERS = "abcABC019*:,.%+- "


@pytest.fixture(autouse=True)
def standard_padding(monkeypatch: pytest.MonkeyPatch) -> None:
    """segno fills up to a whole byte even where nothing is missing; the standard does not, and readers do not mind."""
    monkeypatch.setattr(
        encoder, "write_padding_bits", lambda buff, version, length: buff.extend([0] * (-length % 8)), raising=True
    )


def expected(text: str) -> list[str]:
    code = segno.make(text, error="m", micro=False, boost_error=False, mask=3, mode="byte")
    return ["".join(map(str, row)) for row in code.matrix_iter(border=0)]


@pytest.mark.parametrize("version", [*range(1, 16), 20, 27, LARGEST])
def test_a_code_is_that_of_a_general_encoder(version: int) -> None:
    draw = random.Random(version)
    for length in (capacity(version), capacity(version) - 1, capacity(version - 1) + 1 if version > 1 else 1):
        text = "".join(draw.choices(LETTERS, k=length))
        assert modules(text) == expected(text)


def test_a_text_that_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="holds 2331 characters, not 2332"):
        modules("x" * 2332)
