"""The page shows what is wrong, and shows text from meters and lines as text."""

import pytest
from lxml import html

from edge.page.html import page, since
from tests.unit.edge.page.status_example import CLOCK, status


def test_what_is_wrong_stands_out() -> None:
    tree = html.fromstring(page(status()))
    bad = [row.text_content() for row in tree.xpath("//tr[@class='bad']")]
    assert len(bad) == 2
    assert any("cannot be opened" in text for text in bad)
    assert any("LU-1" in text and "never" in text for text in bad)


def test_texts_are_escaped() -> None:
    octets = page(status())
    assert b"<does not answer>" not in octets
    assert "The broker 10.0.0.1 <does not answer>." in html.fromstring(octets).text_content()


@pytest.mark.parametrize(
    ("instant", "said"),
    [
        (None, "never"),
        ("2026-03-02T09:59:50+00:00", "10 s ago"),
        ("2026-03-02T09:58:30+00:00", "1 min 30 s ago"),
        ("2026-03-02T10:30:00+01:00", "30 min 0 s ago"),
        ("2026-03-01T08:30:00+00:00", "1 d 1 h ago"),
        ("2026-03-02T10:00:01+00:00", "at 2026-03-02T10:00:01+00:00"),
    ],
)
def test_how_long_ago(instant: str | None, said: str) -> None:
    assert since(instant, CLOCK) == said
