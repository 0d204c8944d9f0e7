"""What y is: real numbers or classes.

Either knows how y is encoded for the loss, how rows are weighed, which targets a loss allows,
how predictions are scored, and which shape ``coef_`` has.
"""

import numpy as np
from sklearn.utils import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets

from .objectives.indicators import Indicators
from .objectives.moments import Moments
from .objectives.outliers import bounds_of


def targets_without_numbers(name, got):
    """The error for targets of a regression that are no numbers."""
    return ValueError(f"{name} must have numbers only. Got {got}; labels are for GDClassifier.")


class RealTargets:
    """Real numbers, one column an output.

    Parameters
    ----------
    n_outputs : int
        Number of outputs.
    is_flat : bool
        Whether y is 1-D: then ``coef_`` is, too.
    is_robust : bool
        Whether the loss is robust: then outliers must not count for origin and unit of y.
    bounds : tuple of ndarray, optional
        The lowest and the highest target of every output that is no outlier; see `prepared`.
    before : Moments, optional
        The moments of earlier targets within their bounds.
    """

    kind = "regressor"
    # How scikit-learn validates y.
    checks = {"y_numeric": True, "multi_output": True}
    # Numbers do not weigh their rows, as classes may.
    factors = None

    def __init__(self, n_outputs=1, is_flat=True, is_robust=False, bounds=None, before=None):
        self.n_outputs = n_outputs
        self.is_flat = is_flat
        self.is_robust = is_robust
        self.bounds = bounds
        self.before = before

    @classmethod
    def of(cls, y, is_robust=False, before=None):
        """Those of a validated y."""
        return cls(1 if y.ndim == 1 else y.shape[1], y.ndim == 1, is_robust, before=before)

    def attributes(self):
        """The fitted attributes that describe the targets."""
        return {}

    def encode(self, y, name="y"):
        """Targets as floats of shape (n_samples, n_outputs)."""
        if y.dtype.kind in "mM":
            raise targets_without_numbers(name, f"dates or times ({y.dtype})")
        try:
            y = np.ascontiguousarray(y.reshape(len(y), -1), dtype=float)
        except ValueError as error:
            raise targets_without_numbers(name, f"text: {error}") from error
        if y.shape[1] != self.n_outputs:
            raise ValueError(
                f"{name} must have as many outputs as y, {self.n_outputs}. "
                f"Got {y.shape[1]} instead."
            )
        return y

    def decode(self, y):
        """Targets as the user gives them."""
        return y[:, 0] if self.is_flat else y

    def columns(self, y):
        """What a linear model without a link is to predict, a column an output.

        Outliers are moved to the bounds of the others if the loss is robust.
        """
        return y if self.bounds is None else np.clip(y, *self.bounds)

    def prepared(self, weight, y):
        """These targets, knowing which are outliers, from the rows that were given."""
        if not self.is_robust or self.bounds is not None:
            return self
        bounds = bounds_of(y, weight, self.before)
        return RealTargets(self.n_outputs, self.is_flat, True, bounds)

    def weigh(self, weight, y):
        """The weights of the rows; None if they are equal."""
        return weight

    def stratify(self, y):
        """By what a random split is stratified; None for nothing."""
        return None

    def scorer(self, loss, y, weight):
        """R² as a function of raw predictions; not a number for a single row: no variance."""
        if len(y) < 2:
            return lambda p: np.nan
        each = np.ones(len(y)) if weight is None else weight
        with np.errstate(over="ignore", invalid="ignore"):
            scatter = each @ np.square(y - np.average(y, axis=0, weights=weight))
        constant = scatter == 0

        def score(p):
            # A model that is about to diverge may have predictions whose squares overflow.
            with np.errstate(over="ignore", invalid="ignore"):
                residual = each @ np.square(y - loss.response(p))
                return _r2(residual, scatter, constant)

        return score

    def scored(self, loss, y, p, weight):
        """What `score_of` needs of some of the rows."""
        with np.errstate(over="ignore"):
            residual = weight @ np.square(y - loss.response(p))
        return residual, Moments().update(y, weight)

    def score_of(self, scored):
        """R² of all rows, from what `scored` gave for each part of them."""
        moments = Moments()
        with np.errstate(over="ignore", invalid="ignore"):
            for _, each in scored:
                moments.merge(each)
            residual = sum(each for each, _ in scored)
            return _r2(residual, moments.scatter, moments.is_constant())

    # What `scorer` compares rows with that did not train.
    encode_unseen = encode

    def published(self, loss, coef, intercept):
        """``coef_`` and ``intercept_`` of coefficients (n_outputs, n_features) and intercepts."""
        return (coef[0], intercept[0]) if self.is_flat else (coef, intercept)


def _r2(residual, scatter, constant):
    """R², the mean over the outputs, of sums of squares; of constant targets 1 if they are met."""
    r2 = np.where(constant, residual == 0, 1 - residual / np.where(constant, 1.0, scatter))
    return float(r2.sum() / len(r2))


class ClassTargets:
    """Classes, encoded by their indices.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        The labels, sorted.
    class_weight : dict, "balanced" or None
        As in the estimator.
    factors : ndarray of shape (n_classes,), optional
        What the rows of each class are multiplied by; see `prepared`.
    """

    kind = "classifier"
    checks = {}

    def __init__(self, classes, class_weight=None, factors=None):
        if len(classes) < 2:
            raise ValueError(
                "GDClassifier needs at least two classes in y. "
                f"Got {len(classes)} class: {classes.tolist()}."
            )
        self.classes = classes
        self.class_weight = class_weight
        self.factors = factors

    @classmethod
    def of(cls, y, class_weight=None, classes=None):
        """Those of a validated y, whose classes may be known already."""
        # Integers are labels: no need to look for fractions, which takes a tenth of a small fit.
        are_labels = y.dtype.kind in "biu"
        if not are_labels:
            _check_objects(y)
            check_classification_targets(y)
        found = np.unique(y) if classes is None else classes
        if are_labels and 2 * len(found) > len(y):
            check_classification_targets(y)  # warns that they may be numbers after all
        return cls(found, class_weight)

    @property
    def n_outputs(self):
        """Scores a row: one for two classes, else one a class."""
        return 1 if len(self.classes) == 2 else len(self.classes)

    def attributes(self):
        """The fitted attributes that describe the targets."""
        return {"classes_": self.classes}

    def encode(self, y, name="y"):
        """The index of every label, as floats of shape (n_samples, 1)."""
        codes = self.encode_unseen(y)
        unknown = codes[:, 0] < 0
        if unknown.any():
            raise ValueError(
                f"{name} must have the labels {self.classes.tolist()} only. "
                f"Got {np.unique(y[unknown]).tolist()} too."
            )
        return codes

    def encode_unseen(self, y):
        """The same for rows that did not train: −1 for other labels, which nothing predicts."""
        codes = self.classes.searchsorted(y)
        np.minimum(codes, len(self.classes) - 1, out=codes)
        return np.where(self.classes[codes] == y, codes, -1.0)[:, None]

    def decode(self, y):
        """Labels as the user gives them."""
        return self.classes[y[:, 0].astype(np.intp)]

    def columns(self, y):
        """The indicator of every class, of two classes that of the second only."""
        if len(self.classes) == 2:
            return y
        return Indicators(y[:, 0], len(self.classes))

    def prepared(self, weight, y):
        """These targets, knowing the weights of the classes, from the rows that were given."""
        if self.class_weight is None:
            return self
        present, labels = np.arange(len(self.classes)), y[:, 0].astype(np.intp)
        if self.class_weight == "balanced":
            if weight is not None:
                labels, weight = labels[weight > 0], weight[weight > 0]
            present = np.unique(labels)  # other classes have no frequency
        factors = np.ones(len(self.classes))
        factors[present] = compute_class_weight(
            self.class_weight,
            classes=self.classes[present],
            y=self.classes[labels],
            sample_weight=weight,
        )
        return ClassTargets(self.classes, self.class_weight, factors)

    def factors_of(self, y):
        """What every row is multiplied by, where there are `factors`."""
        return self.factors[y[:, 0].astype(np.intp)]

    def weigh(self, weight, y):
        """The weights of the rows, times those of their classes; None if they are equal."""
        if self.factors is None:
            return weight
        each = self.factors_of(y)
        weight = each if weight is None else each * weight
        if not (np.all(weight >= 0) and np.all(np.isfinite(weight)) and np.any(weight > 0)):
            raise ValueError(
                "class_weight must be finite, not negative, and positive for a class that y has. "
                f"Got {self.class_weight!r} instead."
            )
        return weight

    def stratify(self, y):
        """By what a random split is stratified: scikit-learn makes a text of a row of numbers."""
        return y[:, 0]

    def scorer(self, loss, y, weight):
        """Accuracy as a function of raw predictions."""
        if weight is None:
            return lambda p: np.count_nonzero(self._right(y, p)) / len(y)
        return lambda p: np.average(self._right(y, p), weights=weight)

    def scored(self, loss, y, p, weight):
        """What `score_of` needs of some of the rows: the weights of the right ones, and of all."""
        return weight @ self._right(y, p), weight.sum()

    def score_of(self, scored):
        """Accuracy of all rows, from what `scored` gave for each part of them."""
        right, total = (sum(each) for each in zip(*scored, strict=True))
        return float(right / total)

    def _right(self, y, p):
        """Which predictions are right; accuracy_score has checks that take longer than an epoch."""
        predicted = p[:, 0] > 0 if p.shape[1] == 1 else p.argmax(axis=1)
        return predicted == y[:, 0]

    def published(self, loss, coef, intercept):
        """``coef_`` and ``intercept_`` of coefficients (n_outputs, n_features) and intercepts."""
        # A relative loss fixes the intercepts up to a common number. Publish them with mean
        # zero, as LogisticRegression does.
        relative = len(intercept) > 1 and loss.relative
        return coef, intercept - intercept.mean() if relative else intercept


def _check_objects(y):
    """Raise a ValueError if labels that are objects are not all text."""
    if y.dtype == object and not all(isinstance(label, str) for label in y.flat):
        kinds = sorted({type(label).__name__ for label in y.flat})
        remedy = "convert y, for example by y.astype(int) or y.astype(str)"
        if not {"NoneType", "NAType"}.isdisjoint(kinds):
            remedy = "leave out the rows without a label"
        raise ValueError(
            "Unknown label type: y must be numbers, or text in every row. Got objects of the types "
            f"{', '.join(kinds)} instead; {remedy}."
        )


TARGETS = {"regressor": RealTargets, "classifier": ClassTargets}


def all_classes(classes, known=None):
    """The sorted labels of a stream: `classes`, which must be those `known` from earlier calls."""
    if classes is None:
        if known is None:
            raise ValueError(
                "The first call of partial_fit needs classes: all labels there will be. "
                "Got None instead."
            )
        return known
    given = classes
    try:
        classes = np.unique(np.asarray(given))
    except TypeError:  # None beside text has no order
        classes = ()
    if len(classes) < 2:
        raise ValueError(
            "classes must be a list of all labels there will be, at least two of them, all numbers "
            f"or all text. Got {given!r} instead."
        )
    if known is not None and not np.array_equal(classes, known):
        raise ValueError(
            f"classes must be those of the first call, {known}. Got {classes} instead."
        )
    return classes
