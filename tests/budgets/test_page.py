"""The page about requests says what was counted."""

from __future__ import annotations

import pytest

from tests.budgets.pages import (
    GET_OR_HEAD,
    PAGE,
    PUT_OR_LIST,
    Bill,
    Counted,
    cost_table,
    requests_table,
    with_table,
)
from tests.budgets.story import Requests


def test_the_page_has_the_requests_of_each_command(sent: dict[str, Requests]) -> None:
    text = PAGE.read_text("utf-8")
    made = with_table(text, "requests", requests_table(sent))
    assert text == made, "write it anew with: python -m tests.budgets.pages"


def test_the_page_has_what_a_million_images_cost(images: Counted) -> None:
    text = PAGE.read_text("utf-8")
    made = with_table(text, "cost", cost_table(images))
    assert text == made, "write it anew with: python -m tests.budgets.pages"


def test_packs_make_a_million_images_a_hundred_times_cheaper_to_push(images: Counted) -> None:
    bills = {work: (plain.dollars, store.dollars) for work, plain, store in images.bills()}
    plain, store = bills["push all, the first time"]
    assert plain == pytest.approx(5.0)
    assert store < plain / 100
    plain, store = bills["pull all"]
    assert store < plain / 10


def test_the_prices_of_the_page_are_those_it_is_computed_with() -> None:
    text = PAGE.read_text("utf-8").replace("\n", " ")
    assert f"${1_000 * PUT_OR_LIST:.3f} for 1,000 PUT or LIST requests" in text
    assert f"${1_000 * GET_OR_HEAD:.4f} for 1,000 GET or HEAD requests" in text


@pytest.mark.parametrize(
    ("bill", "told"),
    [
        (Bill(1_000_000, 0), "1,000,000 PUT or LIST: $5.00"),
        (Bill(6_568, 1), "6,600 PUT or LIST, 1 GET or HEAD: $0.033"),
        (Bill(0, 0), ": under $0.001"),
    ],
)
def test_a_bill_is_told_in_two_digits(bill: Bill, told: str) -> None:
    assert bill.told() == told
