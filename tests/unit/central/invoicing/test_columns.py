"""Tables set by columns: what surely fits beside each other, groups, stripes, and rows of two lines."""

import json
import re
from collections.abc import Sequence
from math import inf

import pytest
import typst
from hypothesis import given
from hypothesis import strategies as st

from central.invoicing.columns import BREAK, GROUP, ROOM, SIZES, WIDTHS, Run, fit_beside, sheet, width
from central.invoicing.pdf import TEMPLATE
from central.invoicing.wording import SPACE, wording

HEADS = ["Sazba", "Položka", "Částka"]


def row(name: str, second: str | None = None) -> list[list[Run]]:
    below = [] if second is None else [Run("", BREAK), Run("caption", second)]
    return [[Run("", "7")], [Run("", name), *below], [Run("", "12,50")]]


def test_neighbours_of_a_style_are_one_run_and_lines_stay_beside_each_other() -> None:
    rows = [row("Jistič"), row("Systémové služby", "1. 3. 2026"), row("")]
    told = sheet(HEADS, rows, stretched=(1,))
    (part,) = told["groups"]
    assert part["lines"] == 4
    assert part["stripes"] == [[1, 3]]
    rates, names, amounts = part["columns"]
    assert rates == [["", f"7\n7\n{SPACE}\n7"]]
    assert names == [["", "Jistič\nSystémové služby\n"], ["caption", "1. 3. 2026\n"], ["", SPACE]]
    assert amounts == [["", f"12,50\n12,50\n{SPACE}\n12,50"]]
    assert told["widths"][1] is None
    assert told["widths"][0] > width("Sazba") * 8


def test_groups_are_not_parted_and_stripes_go_on() -> None:
    told = sheet(HEADS, [row("Jistič")] * (GROUP + 3), stretched=(1,))
    assert [part["lines"] for part in told["groups"]] == [GROUP, 3]
    assert told["groups"][1]["stripes"] == [[1, 2]]


@pytest.mark.parametrize("name", ["x" * 100, "dva\nřádky", "a\u2028b", "漢字", "Ж", "a\tb", "\u202eabc"])
def test_what_might_not_stay_on_its_line_gets_rows_of_its_own(name: str) -> None:
    told = sheet(HEADS, [row("Jistič"), row(name)], stretched=(1,))
    assert (told["fits"], told["widths"]) == (False, ["auto", None, "auto"])
    assert [part["columns"][1] for part in told["groups"]] == [[["", "Jistič"]], [["", name]]]
    assert not fit_beside(["Měřidlo"], [name], 220)


@given(names=st.lists(st.text(max_size=30), min_size=1, max_size=30))
def test_no_text_is_lost_and_every_column_has_as_many_lines(names: list[str]) -> None:
    told = sheet(HEADS, [row(name) for name in names], stretched=(1,))
    texts = ["".join(text for _, text in part["columns"][1]) for part in told["groups"]]
    assert "\n".join(texts) == "\n".join(name or SPACE for name in names)
    if told["fits"]:
        for part in told["groups"]:
            assert {sum(text.count("\n") for _, text in runs) for runs in part["columns"]} == {part["lines"] - 1}


def test_letters_with_marks_are_as_wide_as_without() -> None:
    assert width("řůĚ") == width("ruE")
    assert width("Měsíční rezervovaná kapacita") < 0.5 * len("Měsíční rezervovaná kapacita")


def measured(texts: Sequence[str]) -> list[float]:
    """What texts take in the template's own font and figures, in ems, as typst sets them."""
    (style,) = re.findall(
        r'^#set text\((font: "[^"]*"), size: 9\.5pt, .*(number-width: "[a-z]*")', TEMPLATE.read_text(), re.M
    )
    source = f"""
        #set text({", ".join(style)}, size: 100pt)
        #context [#metadata(json(bytes(sys.inputs.texts)).map(each => measure(each).width.pt() / 100)) <widths>]
    """
    inputs = {"texts": json.dumps(list(texts))}
    told = typst.query(source.encode(), "<widths>", field="value", one=True, sys_inputs=inputs)
    return [float(each) for each in json.loads(told)]


def test_no_character_is_wider_in_the_font_than_the_table_says() -> None:
    texts = [chr(code) for code in (*range(0x21, 0x250), *range(0x1E00, 0x1F00)) if width(chr(code)) < inf]
    assert len(texts) > 500
    assert {text: found for text, found in zip(texts, measured(texts), strict=True) if found > width(text)} == {}
    # and no much narrower one is taken for a wide one, or tables that fit would be set row by row
    listed = [character for characters in WIDTHS.values() for character in characters if character.isalnum()]
    found = measured(listed)
    assert sum(map(width, listed)) < 1.07 * sum(found)


def test_words_of_documents_are_no_wider_than_their_characters() -> None:
    words = [text for language in ("cs", "en") for table in (wording(language).labels, wording(language).facts)
             for text in table.values() if width(text) < inf]  # fmt: skip
    assert len(words) > 100
    assert all(found <= width(text) for text, found in zip(words, measured(words), strict=True))


def test_sizes_and_room_are_those_of_the_template() -> None:
    template = TEMPLATE.read_text()
    assert f"size: {SIZES['']}pt, lang: data.language" in template
    assert f"#let caption(body) = text(size: {SIZES['caption']:g}pt, fill: soft, body)" in template
    assert f'"raised" {{ text(size: {SIZES["raised"]}pt' in template
    assert "#let width = 174mm" in template
    assert ROOM <= 174 / 25.4 * 72 < ROOM + 1
