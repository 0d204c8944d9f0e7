"""The problem that partitions pose together: sums of what each of them answers."""

import functools

import joblib
import numpy as np
import scipy.linalg
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, eigsh

from ..objectives.data import Data
from ..objectives.evidence import MAX_EXACT_ROWS, CentredRows, scale_of
from ..objectives.moments import Moments
from ..objectives.problem import Problem
from ..objectives.remote import RemoteObjective
from ..objectives.smoothness import MAX_GRAM_COLUMNS, second_moment_of
from ..parameters import fingerprint
from . import partition
from .cluster import PerPart


class ClusterProblem(Problem):
    """A `Problem` whose rows are in partitions on the workers.

    Whatever is asked of it is a mean over rows: a sum of the answers of the partitions, in their
    order. So it does not depend on which worker holds what.

    Parameters
    ----------
    parts : Partitions
        Of `Problem`, or None where there are no rows.
    sizes : list of Size
        Their sizes.
    settings : Settings
        The parameters.
    targets : RealTargets or ClassTargets
        What y is.
    like : Description
        Type, format and features of X.
    held_out : ClusterHeldOut or None
        Rows to judge the training by.
    """

    # Every step of a mini-batch optimizer would be a round.
    whole_batches_only = True

    def __init__(self, parts, sizes, settings, targets, like, held_out):
        counted = float(sum(size.counted for size in sizes))
        n = sum(size.n for size in sizes)
        Problem.__init__(self, None, None, None, settings.loss, targets)
        self.held_out = held_out
        self.total = None if counted == n else counted
        self.parts = parts
        self.sizes = sizes
        self.like = like
        self._places = [k for k, size in enumerate(sizes) if size.n > 0]
        # Weights have mean one in every partition. Multiplied by its share they have mean one
        # over all rows.
        mean = counted / n
        self._shares = PerPart(s.counted / s.n / mean if s.n else 0.0 for s in sizes)

    n = property(lambda self: sum(size.n for size in self.sizes))
    n_features = property(lambda self: self.like.seen["n_features_in_"])
    n_entries = property(lambda self: sum(size.n_entries for size in self.sizes))
    dtype = property(lambda self: self.like.dtype)
    is_sparse = property(lambda self: self.like.is_sparse)

    def ask(self, function, *arguments):
        """The answers of the partitions that have rows, in their order."""
        return self.parts.ask(function, self._shares, *arguments, places=self._places)

    def add_features(self, moments):
        for each in self.ask(partition.feature_moments, moments.full):
            moments.merge(each)

    def add_targets(self, moments):
        for each in self.ask(partition.target_moments):
            moments.merge(each)

    @functools.cached_property
    def joint_moments(self):
        moments = Moments(full=True)
        with np.errstate(over="ignore", invalid="ignore"):
            for each in self.ask(partition.joint_moments):
                if each is None:
                    return None
                moments.merge(each)
        return moments if np.isfinite(moments.covariance).all() else None

    def centred(self, features, inverse):
        if max(self.n, self.n_counted) <= MAX_EXACT_ROWS:
            return CentredRows(self._gathered(), features, inverse)
        return _ClusterRows(self, features, inverse)

    def _gathered(self):
        """The same problem, of so few rows that they fit anywhere."""
        parts = self.ask(partition.rows_of)
        X, y, weight = zip(*parts, strict=True)
        X = sp.vstack(X, format="csr") if self.is_sparse else np.concatenate(X)
        weight = np.concatenate(weight)
        return Problem(X, np.concatenate(y), weight, self.loss, self.targets, total=self.total)

    def columns_of_targets(self):
        """Mean and variance of the columns that stand for the targets."""
        moments = Moments()
        for each in self.ask(partition.column_sums):
            moments.merge(each)
        return moments.mean, moments.variance

    def read(self, coordinates, batch_size, shuffle):
        return ClusterData(self, coordinates, batch_size, shuffle)

    def fingerprint(self, penalty):
        objective = [repr(fingerprint(self.loss)), repr(penalty), self.total]
        pairs = self.ask(partition.trace)
        objective.append([(first, share) for first, _, share in pairs])
        watched = [second for _, second, _ in pairs]
        if self.held_out is not None:
            watched.append(self.held_out.trace())
        return joblib.hash(objective), joblib.hash(watched)


class ClusterData(Data):
    """`Data` of which every batch is all rows."""

    def mean_square(self):
        moments = Moments()
        self.problem.add_features(moments)
        return float(np.sum(moments.variance + moments.mean**2))

    @functools.cached_property
    def _reach(self):
        # What a single row may reach is not needed: every batch is all rows.
        coordinates, n = self.coordinates, self.problem.n
        if coordinates.rotation is not None:
            return 0.0, 0.0, n
        k = coordinates.n_columns
        if k <= MAX_GRAM_COLUMNS:
            moments = Moments(full=True)
            self.problem.add_features(moments)
            gram = second_moment_of(moments, coordinates)
            top = scipy.linalg.eigvalsh(gram, subset_by_index=[k - 1, k - 1])
            return float(top[0]), 0.0, n

        def product(v):
            return sum(self.problem.ask(partition.curvature, coordinates, v)) / n

        start = np.random.default_rng(0).standard_normal(k)
        gram = LinearOperator((k, k), matvec=product, dtype=float)
        # As in `smoothness`: eigsh approaches the eigenvalue from below.
        return (
            1.01 * float(eigsh(gram, k=1, v0=start, tol=1e-3, return_eigenvectors=False)[0]),
            0.0,
            n,
        )

    def order(self, generator):
        return None

    def objective(self, penalties):
        unrotated = self.coordinates.unrotated()

        def ask(points, wants_gradients):
            answers = self.problem.ask(
                partition.evaluate, unrotated, self.problem.n, points, wants_gradients
            )
            totals, scaled, gradients = zip(*answers, strict=True)
            return sum(totals), sum(scaled), sum(gradients) if wants_gradients else None

        return RemoteObjective(self.coordinates, penalties, ask)


class _ClusterRows:
    """`CentredRows` of all partitions."""

    def __init__(self, problem, features, inverse):
        self.problem = problem
        mean, variance = problem.columns_of_targets()
        self.scale = scale_of(variance, problem.targets)
        self._rows = features, inverse, (mean, variance), problem.n

    def towards(self, mix):
        """Mean products of the features and the targets, which `mix` mixes."""
        return sum(self.problem.ask(partition.towards, self._rows, mix))

    def second_moment(self, V):
        """The second moment of the features times V."""
        return sum(self.problem.ask(partition.second_moment, self._rows, V))


class ClusterHeldOut:
    """Held-out rows in partitions on the workers.

    Parameters
    ----------
    parts : Partitions
        Of `HeldOut`, of `Problem` with rows held out, or of None.
    targets : RealTargets or ClassTargets
        Knows how predictions are scored.
    """

    def __init__(self, parts, targets):
        self.parts = parts
        self.targets = targets

    def judge(self, coef, intercept):
        """Mean loss and score of the model."""
        answers = [each for each in self.parts.ask(partition.judge, coef, intercept) if each]
        losses, weights, scored = zip(*answers, strict=True)
        return sum(losses) / sum(weights), self.targets.score_of(scored)

    def trace(self):
        """A text that differs for different rows."""
        return joblib.hash(self.parts.ask(partition.trace_held_out))
