"""Frames of pandas and polars."""

from __future__ import annotations

import pandas as pd
import polars as pl

from tests.engine.arguments.made import (
    Located,
    Measured,
    Plain,
    Rows,
    frame,
    with_attrs,
    with_flag,
)

PANDAS: Rows = [
    ("cell", frame, lambda: frame(a=[1, 3], b=["x", "y"])),
    ("dtype", lambda: frame(a=[1, 2]), lambda: frame(a=[1.0, 2.0])),
    ("order of columns", lambda: frame(a=[1], b=[2]), lambda: frame(b=[2], a=[1])),
    ("attrs", lambda: with_attrs(frame(), unit="m"), lambda: with_attrs(frame(), unit="s")),
    (
        "metadata of a subclass",
        lambda: with_flag(Located({"a": [1]}), "crs", 1),
        lambda: with_flag(Located({"a": [1]}), "crs", 2),
    ),
    (
        "metadata of a series",
        lambda: with_flag(Measured([1]), "unit", "m"),
        lambda: with_flag(Measured([1]), "unit", "s"),
    ),
    ("a frame of a subclass", frame, lambda: Located(frame())),
    ("flags", frame, lambda: frame().set_flags(allows_duplicate_labels=False)),
    ("name of the index", lambda: frame().rename_axis("i"), lambda: frame().rename_axis("j")),
    ("name of the columns", lambda: frame().rename_axis("i", axis=1), lambda: frame().rename_axis("j", axis=1)),
    ("index", lambda: frame().set_axis([0, 1]), lambda: frame().set_axis([1, 0])),
    ("kind of the index", lambda: frame(), lambda: frame().set_axis(pd.Index([0, 1]))),
    (
        "order of categories",
        lambda: pd.Series(pd.Categorical(["x"], ["x", "y"])),
        lambda: pd.Series(pd.Categorical(["x"], ["y", "x"])),
    ),
    ("ordered categories", lambda: pd.Categorical(["x"]), lambda: pd.Categorical(["x"], ordered=True)),
    ("name of a series", lambda: pd.Series([1], name="a"), lambda: pd.Series([1], name="b")),
    ("missing", lambda: pd.Series([1, None], dtype="Int64"), lambda: pd.Series([1, 0], dtype="Int64")),
    ("missing text", lambda: pd.Series(["a", None]), lambda: pd.Series(["a", ""])),
    (
        "freq",
        lambda: pd.date_range("2026-01-01", periods=3, freq="D"),
        lambda: pd.DatetimeIndex(["2026-01-01", "2026-01-02", "2026-01-03"]),
    ),
    (
        "zone",
        lambda: pd.Series(pd.to_datetime(["2026-01-01"]).tz_localize("UTC")),
        lambda: pd.Series(pd.to_datetime(["2026-01-01"]).tz_localize("Europe/Berlin").tz_convert("UTC")),
    ),
    (
        "unit of moments",
        lambda: pd.Series(["2026-01-01"], dtype="M8[s]"),
        lambda: pd.Series(["2026-01-01"], dtype="M8[ns]"),
    ),
    ("Timestamp", lambda: pd.Timestamp("2026-01-01"), lambda: pd.Timestamp("2026-01-01", tz="UTC")),
    ("nanoseconds", lambda: pd.Timestamp(1), lambda: pd.Timestamp(2)),
    (
        "unit of a Timestamp",
        lambda: pd.Timestamp("2026-01-01").as_unit("s"),
        lambda: pd.Timestamp("2026-01-01").as_unit("ns"),
    ),
    ("Timedelta", lambda: pd.Timedelta(1), lambda: pd.Timedelta(2)),
    ("Period", lambda: pd.Period("2026-01", "M"), lambda: pd.Period("2026-01-01", "D")),
    ("Interval", lambda: pd.Interval(0, 1), lambda: pd.Interval(0, 1, closed="left")),
    ("IntervalIndex", lambda: pd.interval_range(0, 2), lambda: pd.interval_range(0, 2, closed="left")),
    (
        "MultiIndex",
        lambda: pd.MultiIndex.from_tuples([(1, 2)], names=["a", "b"]),
        lambda: pd.MultiIndex.from_tuples([(1, 2)], names=["a", "c"]),
    ),
    ("NaT and NA", lambda: pd.NaT, lambda: pd.NA),
    ("lists in cells", lambda: frame(a=[[1], [2]]), lambda: frame(a=[[1], [3]])),
    ("sparse", lambda: pd.arrays.SparseArray([0, 1]), lambda: pd.arrays.SparseArray([0, 1], fill_value=1)),
    (
        "arrow column",
        lambda: pd.Series([1, None], dtype="int64[pyarrow]"),
        lambda: pd.Series([1, 0], dtype="int64[pyarrow]"),
    ),
    ("groups", lambda: frame().groupby("a"), lambda: frame().groupby("b")),
    ("frames by name", lambda: {"train": frame(), "n": 1}, lambda: {"train": frame(a=[1, 3], b=["x", "y"]), "n": 1}),
]

POLARS: Rows = [
    (
        "cell",
        lambda: pl.DataFrame({"a": [1, 2], "b": ["x", "y"]}),
        lambda: pl.DataFrame({"a": [1, 2], "b": ["x", "z"]}),
    ),
    ("dtype", lambda: pl.DataFrame({"a": [1]}), lambda: pl.DataFrame({"a": [1]}, schema={"a": pl.Int32})),
    ("order of columns", lambda: pl.DataFrame({"a": [1], "b": [2]}), lambda: pl.DataFrame({"b": [2], "a": [1]})),
    ("series", lambda: pl.Series("a", [1, None]), lambda: pl.Series("a", [1, 0])),
    ("name of a series", lambda: pl.Series("a", [1]), lambda: pl.Series("b", [1])),
    (
        "categories",
        lambda: pl.Series(["x"], dtype=pl.Enum(["x", "y"])),
        lambda: pl.Series(["x"], dtype=pl.Enum(["y", "x"])),
    ),
    ("structs", lambda: pl.Series([{"a": 1}]), lambda: pl.Series([{"a": 2}])),
    ("objects", lambda: pl.Series([Plain(a=1)], dtype=pl.Object), lambda: pl.Series([Plain(a=2)], dtype=pl.Object)),
    (
        "plan",
        lambda: pl.DataFrame({"a": [1]}).lazy().filter(pl.col("a") > 0),
        lambda: pl.DataFrame({"a": [1]}).lazy().filter(pl.col("a") > 1),
    ),
    ("data of a plan", lambda: pl.DataFrame({"a": [1]}).lazy(), lambda: pl.DataFrame({"a": [2]}).lazy()),
    ("file of a plan", lambda: pl.scan_csv("a.csv"), lambda: pl.scan_csv("b.csv")),
    ("expression", lambda: pl.col("a") + 1, lambda: pl.col("a") + 2),
    ("a frame in a list", lambda: [pl.DataFrame({"a": [1]})], lambda: [pl.DataFrame({"a": [2]})]),
]
