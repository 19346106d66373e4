"""Cells of CSV files: the database writes those of lists, Python those of reports, and both write the same."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from flask_sqlalchemy.session import Session
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Boolean, DateTime, Integer, Numeric, Text, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import scoped_session

from webapp import export

MOMENTS = st.integers(0, 2**32).map(lambda seconds: dt.datetime.fromtimestamp(seconds, dt.UTC))
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
CELLS = st.one_of(
    st.tuples(TEXTS, st.just(Text())),
    st.tuples(st.text("'=+-@\t\r\n;,\"a\\", max_size=4), st.just(Text())),
    st.tuples(st.integers(-(2**31), 2**31 - 1), st.just(Integer())),
    st.tuples(st.booleans(), st.just(Boolean())),
    st.tuples(st.decimals(-1000, 1000, places=8), st.just(Numeric(16, 8))),
    st.tuples(st.lists(st.sampled_from(["55", "=1", "-", "x y"]), min_size=1, max_size=3), st.just(ARRAY(Text()))),
    st.tuples(MOMENTS, st.just(DateTime(timezone=True))),
    st.sampled_from([(None, Text()), (None, Numeric()), (None, DateTime(timezone=True)), (Decimal(100), Numeric())]),
)


def cells(pieces: Iterator[bytes], comma: bool) -> list[list[str]]:
    text = b"".join(pieces).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=";" if comma else ","))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(CELLS, min_size=2, max_size=6), st.booleans())
@example([("'=1+1", Text()), ("'it", Text()), ("", Text())], True)
def test_both_write_the_same(session: scoped_session[Session], row: list[tuple[Any, Any]], comma: bool) -> None:
    heads = [f"c{n}" for n in range(len(row))]
    query = select(*(literal(value, kind).label(head) for head, (value, kind) in zip(heads, row, strict=True)))

    by_python = cells(export._lines([[value for value, _ in row]], heads, comma), comma)
    assert cells(export._copied(query, heads, comma), comma) == by_python
