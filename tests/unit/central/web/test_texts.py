"""Words of the pages: both languages are whole, and templates name only words that there are."""

import re
from datetime import date
from pathlib import Path

import pytest

import central.web
from central.web.texts import LANGUAGES, language_of, words, written_day

TEMPLATES = sorted((Path(central.web.__file__).parent / "templates").glob("*.html"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_that_a_template_names_is_there(language: str) -> None:
    named = {name for path in TEMPLATES for name in re.findall(r"words\.(\w+)", path.read_text(encoding="utf-8"))}
    assert len(named) > 15
    known = vars(words(language))
    assert named <= known.keys()
    assert all(isinstance(text, str) and text for text in known.values())


@pytest.mark.parametrize(
    ("asked", "accepts", "language"),
    [
        (None, None, "cs"),
        ("en", "cs-CZ", "en"),
        ("xx", "de-DE,en;q=0.8,cs;q=0.5", "en"),
        (None, "sk", "cs"),
    ],
)
def test_the_language_is_what_was_chosen_or_what_the_browser_accepts(
    asked: str | None, accepts: str | None, language: str
) -> None:
    assert language_of(asked, accepts) == language


def test_a_day_is_written_as_people_do() -> None:
    assert written_day(date(2026, 3, 4), "cs") == "4. 3. 2026"
    assert written_day(date(2026, 3, 4), "en") == "2026-03-04"
