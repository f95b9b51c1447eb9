"""Batches for print."""

from io import BytesIO

import pikepdf
import pytest

from central.invoicing.delivery.printing import merged


def document(pages: int) -> bytes:
    with pikepdf.new() as made:
        for number in range(pages):
            made.add_blank_page(page_size=(595, 842 + number))
        out = BytesIO()
        made.save(out)
        return out.getvalue()


@pytest.mark.parametrize(("pages", "sheets"), [([1], 1), ([2], 1), ([1, 1], 2), ([3, 2, 1], 4), ([], 0)])
def test_each_document_begins_on_a_sheet_of_its_own(pages: list[int], sheets: int) -> None:
    files = [document(count) for count in pages]
    whole = merged(files)
    assert whole == merged(files)
    with pikepdf.open(BytesIO(whole)) as read:
        assert len(read.pages) == 2 * sheets
        starts, at = [], 0
        for count in pages:
            starts.append(float(read.pages[at].mediabox[3]))
            at += count + count % 2
        assert starts == [842.0] * len(pages)
