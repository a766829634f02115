"""The budget, by itself; test_session.py counts at a server."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geurim.errors import SettingError
from geurim.generators.text.budget import Budget, Ledger, Worst


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("5usd", Budget(usd=5.0)),
        ("$0.25", Budget(usd=0.25)),
        ("5 USD", Budget(usd=5.0)),
        ("1000requests", Budget(requests=1000)),
        ("1_000 requests", Budget(requests=1000)),
        ("2e6tokens", Budget(tokens=2_000_000)),
        ("5usd,1000requests, 2e6 tokens", Budget(usd=5.0, requests=1000, tokens=2_000_000)),
    ],
)
def test_budgets_are_read_as_people_write_them(text: str, budget: Budget) -> None:
    assert Budget.parse(text) == budget


@pytest.mark.parametrize(
    "text", ["", "5", "5eur", "usd", "5usd,6usd", "-5usd", "1..2usd", "five usd", "1e999usd"]
)
def test_what_is_no_budget_is_refused(text: str) -> None:
    with pytest.raises(SettingError):
        Budget.parse(text)


@given(st.text(max_size=12))
def test_hostile_budgets_raise_nothing_else(text: str) -> None:
    with contextlib.suppress(SettingError):
        Budget.parse(text)


tries = st.lists(
    st.tuples(
        st.integers(1, 500),  # the worst case, tokens
        st.floats(0, 1),  # the share of it that is used
        st.sampled_from(["answered", "unreported", "refused"]),
        st.integers(0, 5),  # tries that end before the next begins
    ),
    max_size=60,
)


@given(tries, st.integers(0, 3000), st.integers(0, 20))
def test_whatever_happens_no_bound_is_passed(
    tries: list[tuple[int, float, str, int]], tokens: int, requests: int
) -> None:
    ledger = Ledger(Budget(tokens=tokens, requests=requests, usd=tokens / 1000))
    used = spent = 0
    under_way: list[tuple[Worst, float, str]] = []

    def end(worst: Worst, share: float, how: str) -> None:
        nonlocal used, spent
        if how == "refused":
            ledger.release(worst)
            return
        real = worst.tokens if how == "unreported" else int(worst.tokens * share)
        used, spent = used + real, spent + 1
        if how == "unreported":
            ledger.settle(worst, None, None)
        else:
            ledger.settle(worst, real, real / 1000)

    for most, share, how, ending in tries:
        worst = Worst(tokens=most, usd=most / 1000)
        if ledger.fits(worst):
            ledger.reserve(worst)
            under_way.append((worst, share, how))
        for _ in range(min(ending, len(under_way))):
            end(*under_way.pop())
        assert used <= tokens
        assert spent <= requests
    while under_way:
        end(*under_way.pop())
    assert ledger.open == 0
    assert (ledger.tokens, ledger.requests) == (used, spent)
    assert used <= tokens
    assert ledger.usd <= tokens / 1000 * (1 + 1e-9)


def test_the_error_says_what_was_used_and_how_to_go_on() -> None:
    ledger = Ledger(Budget(requests=1, usd=1.0))
    worst = Worst(tokens=100, usd=0.3)
    ledger.reserve(worst)
    ledger.settle(worst, 40, 0.12)
    said = str(ledger.exceeded(worst))
    for part in (
        "1 requests, 1 USD",
        "40 tokens",
        "0.12 USD",
        "0.3 USD",
        "larger budget",
        "record",
    ):
        assert part in said
