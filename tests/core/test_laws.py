"""The laws of matching over random journals, programs, edits, kills and replays of replays; and that they find bugs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core import laws
from tests.core.mutants import MUTANTS, planted

LAWS = (laws.adaptive_equals_model, laws.strict_equals_model, laws.nothing_wrong_unmarked)
seeds = st.integers(min_value=0, max_value=2**48)


@pytest.fixture(autouse=True, params=[2, 512], ids=["pages of 2", "pages of 512"], scope="module")
def _pages(request):
    """The size of a page changes nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jupyter_durable.core.replay.PAGE", request.param)
        patch.setattr("jupyter_durable.core.places.PAGE", request.param)
        yield


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@settings(max_examples=400, deadline=None)
@given(seed=seeds)
def test_law(law, seed):
    """The law holds for the seed that a failure prints."""
    law(seed)


@pytest.mark.full
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_law_over_many_seeds(law):
    """The law holds for 50,000 seeds."""
    for seed in range(50_000):
        law(seed)


def _finds(limit: int) -> bool:
    for seed in range(limit):
        for law in LAWS:
            try:
                law(seed)
            except Exception:  # noqa: BLE001  a planted bug may also fail in its own way
                return True
    return False


@pytest.mark.parametrize("mutant", MUTANTS)
def test_planted_bug_is_found(mutant):
    """One of the laws fails when this bug is planted."""
    with planted(mutant):
        assert _finds(6000)


def test_laws_hold_without_bugs():
    """The seeds that find the bugs find nothing in the code as it is."""
    assert not _finds(300)
