"""The untuned classifier on texts, against scikit-learn: ``python benchmarks/texts.py [names]``.

The texts are the docstrings or the code of the functions of packages that are installed wherever
this package is: each is a row, and its class is the package or the module that it is from. The
peers are ``SGDClassifier(loss="log_loss")`` and ``LogisticRegression(max_iter=1000)``, the second
one with and without a ``StandardScaler(with_mean=False)``. A quarter of the rows is held out.

With names only these texts are measured, and nothing is recorded.
"""

import ast
import functools
import sysconfig
import warnings
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from time import process_time

import numpy as np
from record import parser, record
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits
from timing import medians

from sk_gd import GDClassifier

TURNS, FEWEST, MOST_CLASSES = 7, 40, 25  # of a fit; texts of a class; classes
STRENGTHS = 4.0 ** np.arange(-7, 3)  # times one over the rows
LIBRARY = "library"  # the standard library of Python
HEAD = [
    "part",
    "texts",
    "rows × features, entries a row",
    "classes",
    "ours",
    "ours in sizes, best strength",
    "best LogisticRegression",
    "SGDClassifier",
    "ms",
    "ms, LogisticRegression",
    "ms, SGDClassifier",
]
TEXT = (
    "Docstrings and code of the functions of installed packages, as bags of words: the log loss "
    "and the accuracy on the quarter of the rows that is held out. ``GDClassifier()``, and the "
    "same with a penalty in the sizes of the features and that of ten strengths which is the best "
    "one on the held-out rows, against ``SGDClassifier(loss='log_loss')`` and the "
    "better one of ``LogisticRegression(max_iter=1000)`` with and without a "
    "``StandardScaler(with_mean=False)``. "
    "The times are processor times with one thread, medians of fits in turns; that of "
    "LogisticRegression is without the scaler. How exactly the strength of the penalty is "
    "computed, and when to begin with dual coordinate ascent, was chosen on the texts of the first "
    "part, among others; those of the second part were set aside. How much likelier the targets "
    "must be for a raw penalty was chosen on both parts."
)


@functools.cache
def definitions(package):
    """Of every function of a package: its file, its docstring and its code."""
    if package == LIBRARY:
        root = Path(sysconfig.get_path("stdlib"))
    else:
        root = Path(find_spec(package).origin).parent
    found = {}
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).parts
        if parts[0] in ("site-packages", "test", "idlelib", "lib2to3") or "tests" in parts:
            continue
        source = path.read_text("utf-8", errors="replace")
        try:
            with warnings.catch_warnings(action="ignore"):
                nodes = list(ast.walk(ast.parse(source)))
        except (SyntaxError, ValueError):
            continue  # files that show errors
        lines = source.splitlines()
        for node in nodes:
            if isinstance(node, ast.FunctionDef) and (doc := ast.get_docstring(node)):
                code = "\n".join(lines[node.lineno - 1 : node.end_lineno])
                found[doc] = parts, doc, code  # the same text once
    return list(found.values())


def by_package(*packages, what):
    """Texts, and the package that each is from."""
    pairs = [(each[what], package) for package in packages for each in definitions(package)]
    return map(list, zip(*pairs, strict=True))


def by_module(package, what):
    """Texts of a package, and the first part of their path."""
    pairs = [(each[what], each[0][0].removesuffix(".py")) for each in definitions(package)]
    return map(list, zip(*pairs, strict=True))


def one_module(package, module, what):
    """Texts of a package, and whether they are of this module."""
    texts, modules = by_module(package, what)
    return texts, [str(each == module) for each in modules]


DOC, CODE = 1, 2
TFIDF = TfidfVectorizer()
SUBLINEAR = TfidfVectorizer(sublinear_tf=True, min_df=2)
COUNTS = CountVectorizer(min_df=2)

# Name: how words become numbers, and what gives the texts.
TEXTS = {
    "chosen on": {
        "docstrings of numpy, scipy": (TFIDF, lambda: by_package("numpy", "scipy", what=DOC)),
        "the same with scikit-learn": (
            TFIDF,
            lambda: by_package("numpy", "scipy", "sklearn", what=DOC),
        ),
        "docstrings of sklearn by module": (TFIDF, lambda: by_module("sklearn", DOC)),
        "code of asyncio, the rest of the library": (
            TFIDF,
            lambda: one_module(LIBRARY, "asyncio", CODE),
        ),
        "code of the library by module": (SUBLINEAR, lambda: by_module(LIBRARY, CODE)),
    },
    "set aside": {
        "docstrings of scipy.stats, the rest of scipy": (
            TFIDF,
            lambda: one_module("scipy", "stats", DOC),
        ),
        "docstrings of scipy by module": (TFIDF, lambda: by_module("scipy", DOC)),
        "code of numpy by module": (SUBLINEAR, lambda: by_module("numpy", CODE)),
        "code of joblib, sklearn, scipy": (
            TFIDF,
            lambda: by_package("joblib", "sklearn", "scipy", what=CODE),
        ),
        "docstrings of scipy by module, counts": (COUNTS, lambda: by_module("scipy", DOC)),
        "code of numpy, scipy, counts": (COUNTS, lambda: by_package("numpy", "scipy", what=CODE)),
    },
}


def load(vectorizer, texts):
    """Features and classes of some texts; rare classes are left out."""
    texts, y = texts()
    common = {name for name, count in Counter(y).most_common(MOST_CLASSES) if count >= FEWEST}
    kept = [k for k, name in enumerate(y) if name in common]
    return vectorizer.fit_transform([texts[k] for k in kept]), np.array([y[k] for k in kept])


def measure(X, y):
    """Losses and accuracies in the order of `HEAD`, and the times."""
    X, X_val, y, y_val = train_test_split(X, y, test_size=0.25, random_state=0, stratify=y)
    logistic = LogisticRegression(max_iter=1000)
    models = [
        GDClassifier(random_state=0),
        logistic,
        SGDClassifier(loss="log_loss", random_state=0),
    ]
    taken = medians([lambda m=m: m.fit(X, y) for m in models], TURNS, process_time)
    models.append(make_pipeline(StandardScaler(with_mean=False), logistic).fit(X, y))
    models += [GDClassifier(alpha=each / len(y), random_state=0).fit(X, y) for each in STRENGTHS]
    scores = []
    for model in models:
        # Of SGDClassifier with many classes, probabilities of zero are possible.
        p = np.clip(model.predict_proba(X_val), 1e-15, 1)
        loss = log_loss(y_val, p / p.sum(axis=1, keepdims=True), labels=model.classes_)
        scores.append((loss, model.score(X_val, y_val)))
    ours, raw, sgd, scaled, *in_sizes = scores
    return [ours, min(in_sizes), min(raw, scaled), sgd], taken


def main(names):
    """Measure, print, and record unless only some of the texts were asked for."""
    unknown = set(names) - {name for kinds in TEXTS.values() for name in kinds}
    if unknown:
        raise SystemExit(f"no such texts: {', '.join(sorted(unknown))}")
    rows = []
    for part, kinds in TEXTS.items():
        for name, (vectorizer, texts) in kinds.items():
            if names and name not in names:
                continue
            X, y = load(vectorizer, texts)
            scores, taken = measure(X, y)
            n, d = X.shape
            rows.append(
                [
                    part,
                    name,
                    f"{n:,} × {d:,}, {X.nnz / n:.0f}",
                    str(len(np.unique(y))),
                    *(f"{loss:.3f} / {accuracy:.3f}" for loss, accuracy in scores),
                    *(f"{1e3 * each:.0f}" for each in taken),
                ]
            )
            print(*rows[-1], sep=" | ", flush=True)
    if not names:
        record("texts", "Texts", TEXT, HEAD, rows)


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("names", nargs="*", help="texts to measure; all if none is named")
    given = arguments.parse_args()
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        main(given.names)
