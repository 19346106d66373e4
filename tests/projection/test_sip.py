"""Ids of identifies: Asterisk makes a sorted list of all of them for each call, which the ids make quick."""

from __future__ import annotations

from itertools import pairwise

from webapp.asterisk.conf import SOURCE
from webapp.asterisk.projection.sip import PLACES, _place, identify_id


def test_the_later_the_place_in_the_cache_the_less_is_the_id() -> None:
    ids = [identify_id(f"trunk-c{number}") for number in range(300)]

    in_the_cache = sorted(ids, key=_place)

    assert len(set(ids)) == len(ids)
    assert all(later[:2] <= sooner[:2] for sooner, later in pairwise(in_the_cache))


def test_the_place_is_the_one_that_asterisk_computes() -> None:
    """djb2 with exclusive or: 5381 * 33 ^ 97, and so on, without the sign."""
    assert _place("") == 5381
    assert _place("a") == (5381 * 33 ^ 97) % PLACES
    assert _place("ab") == ((5381 * 33 ^ 97) * 33 ^ 98) % PLACES


def test_there_are_as_many_places_as_the_cache_has() -> None:
    """Else the ids would be in no order that helps."""
    [line] = [line for line in (SOURCE / "sorcery.conf").read_text().splitlines() if line.startswith("identify/cache")]
    assert f"maximum_objects={PLACES}," in line
