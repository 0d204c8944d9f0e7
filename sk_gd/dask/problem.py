"""The problem that partitions pose together: sums of what each of them answers."""

import dataclasses
import operator
import uuid

import joblib
import numpy as np
import scipy.sparse as sp

from ..objectives.caching import cached_property
from ..objectives.data import Data
from ..objectives.evidence import sampled_places
from ..objectives.problem import Problem
from ..objectives.remote import RemoteObjective
from ..objectives.smoothness import Extent, largest_eigenvalue, second_moment_of
from ..parameters import fingerprint
from . import partition
from .cluster import PerPart

# Numbers in the rows that the client gets as a sample: 32 MB of float64.
MOST_SAMPLED = 1 << 22


class ClusterProblem(Problem):
    """A `Problem` whose rows are in partitions on the workers.

    Whatever it computes is a mean over rows: a sum of the answers of the partitions, in their
    order. So the result does not depend on which worker holds what.

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
        Rows on which the model is evaluated; None for those that the parts hold out, if any.
    """

    # Every step of a mini-batch optimizer would be a round.
    whole_batches_only = True
    # All rows train: those held out are other partitions, or have a weight of zero.
    subset = None

    def __init__(self, parts, sizes, settings, targets, like, held_out):
        counted = float(sum(size.counted for size in sizes))
        n = sum(size.n for size in sizes)
        Problem.__init__(self, None, None, None, settings.loss, targets)
        if held_out is None and any(size.holds_out for size in sizes):
            held_out = ClusterHeldOut(parts, targets)
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
        self._moments = {}
        self._sample = None

    @property
    def n(self):
        return sum(size.n for size in self.sizes)

    @property
    def n_features(self):
        return self.like.seen["n_features_in_"]

    @property
    def n_entries(self):
        return sum(size.n_entries for size in self.sizes)

    @property
    def dtype(self):
        return self.like.dtype

    @property
    def is_sparse(self):
        return self.like.is_sparse

    def ask(self, function, *arguments):
        """The answers of the partitions that have rows, in their order."""
        return self.parts.ask(function, self._shares, *arguments, places=self._places)

    def merged(self, function, merge, *arguments, numbers):
        """The answers of the partitions that have rows, of so many numbers each, merged."""
        return self.parts.merged(
            function, merge, self._shares, *arguments, places=self._places, size=8 * numbers
        )

    def _both(self, full):
        """The moments of the features, and of the columns that stand for the targets."""
        if not full and self.can_condense and self.joint_moments is not None:
            # One round where it would be two: the Gram matrix is needed anyway.
            moments, d = self.joint_moments.variances_only(), self.n_features
            return moments.part(slice(0, d)), moments.part(slice(d, None))
        if full not in self._moments:
            numbers = self.n_features ** (1 + full)
            self._moments[full] = self.merged(
                partition.moments, partition.merge_both, full, numbers=numbers
            )
        return self._moments[full]

    def add_features(self, moments):
        moments.merge(self.moments_of_features(moments.full))

    def moments_of_features(self, full):
        """The moments of the features; `full`: with covariances."""
        return self._both(full)[0]

    def add_targets(self, moments):
        moments.merge(self.moments_of_targets)

    @cached_property
    def moments_of_targets(self):
        """The moments of the columns that stand for the targets."""
        return self._both(next(iter(self._moments), False))[1]

    @cached_property
    def joint_moments(self):
        numbers = (self.n_features + self.targets.n_outputs) ** 2
        found = self.merged(partition.joint_moments, partition.merge_moments, numbers=numbers)
        return found if found is not None and np.isfinite(found.covariance).all() else None

    def _of_evidence(self, n_directions):
        at = sampled_places(self, n_directions)
        if at is None:
            return self._gathered(self.ask(partition.rows_of))
        counted = np.array([size.counted for size in self.sizes])
        ends = np.cumsum(counted)
        begins = ends - counted
        rows = at * ends[-1]
        by_part = np.split(rows, np.searchsorted(rows, ends[:-1]))
        within = [
            (own - begin) / size if len(own) else own
            for own, begin, size in zip(by_part, begins, counted, strict=True)
        ]
        some = self._gathered(self.ask(partition.drawn_from, PerPart(within)))
        return dataclasses.replace(some, total=float(min(len(at), self.n_counted)))

    def sampled(self, rows):
        """The problem of a sample of the rows. It is the same sample in all coordinates."""
        if self._sample is None:
            begins = np.cumsum([0, *(size.n for size in self.sizes)])[:-1]
            by_part = np.split(rows, np.searchsorted(rows, begins[1:]))
            within = [rows - begin for rows, begin in zip(by_part, begins, strict=True)]
            self._sample = self._gathered(self.ask(partition.rows_of, PerPart(within)))
        return self._sample

    def _gathered(self, answers):
        """The same problem, with a few rows that the parts have sent: X, y and weights."""
        X, y, weight = zip(*answers, strict=True)
        X = sp.vstack(X, format="csr") if self.is_sparse else np.concatenate(X)
        weight = np.concatenate(weight)
        return Problem(X, np.concatenate(y), weight, self.loss, self.targets, total=self.total)

    def read(self, coordinates, batch_size, shuffle):
        return ClusterData(self, coordinates, batch_size, shuffle)

    def close(self):
        self.parts.close()
        if self.held_out is not None:
            self.held_out.parts.close()

    def fingerprint(self, penalty):
        objective = [repr(fingerprint(self.loss)), repr(penalty), self.total]
        answers = self.ask(partition.fingerprint)
        objective.append([(first, share) for first, _, share in answers])
        watched = [second for _, second, _ in answers]
        if self.held_out is not None:
            watched.append(self.held_out.checksum())
        return joblib.hash(objective), joblib.hash(watched)


class ClusterData(Data):
    """`Data` of which every batch is all rows."""

    _most_sampled = MOST_SAMPLED

    def __init__(self, problem, coordinates, batch_size, shuffle):
        Data.__init__(self, problem, coordinates, batch_size, shuffle)
        # Fits in several threads share the name from the beginning: points in coordinates of one
        # name are evaluated together, which decides the rounding.
        self._named = partition.NamedCoordinates(uuid.uuid4().hex, coordinates.unrotated())

    def mean_square(self):
        moments = self.problem.moments_of_features(False)
        return float(np.sum(moments.variance + moments.mean**2))

    @cached_property
    def _extent(self):
        # The lengths of single rows are not needed: every batch is all rows.
        coordinates, n = self.coordinates, self.problem.n
        if coordinates.rotation is not None:
            return Extent(0.0, 0.0, n)

        def gram():
            return second_moment_of(self.problem.moments_of_features(True), coordinates)

        def product(v):
            found = self.problem.merged(
                partition.curvature, operator.add, coordinates, v, numbers=len(v)
            )
            return found / n

        return Extent(largest_eigenvalue(coordinates.n_columns, gram, product), 0.0, n)

    @property
    def _n_entries(self):
        return self.problem.n_entries

    def _full_batch_of(self, rows):
        some = self.problem.sampled(rows)
        mean = np.mean(some.weight)
        if not mean > 0:
            return None
        some = dataclasses.replace(some, weight=some.weight / mean)
        return Data(some, self.coordinates, len(rows), shuffle=False)

    def small_sample(self):
        return self  # a round costs the same for a few of the rows

    def largest_prediction(self, coef, intercept):
        return 0.0  # it is not worth a round

    def order(self, generator):
        return None

    def objective(self, penalties):
        def ask(points, wants_gradients):
            # Two numbers of a lane are its losses; with its gradient come two of each output.
            outputs = self.coordinates.n_outputs
            numbers = 2 + (2 * outputs + points.shape[1] if wants_gradients else 0)
            return self.problem.merged(
                partition.evaluate,
                operator.add,
                self._named,
                self.problem.n,
                points,
                wants_gradients,
                numbers=len(points) * numbers,
            )

        return RemoteObjective(self.coordinates, penalties, self.problem.is_sparse, ask)


class ClusterHeldOut:
    """Held-out rows in partitions on the workers.

    Parameters
    ----------
    parts : Partitions
        Of `HeldOut`, of `Problem` with rows held out, or of None.
    targets : RealTargets or ClassTargets
        Knows how predictions are scored.
    """

    chosen_score = None  # it would need all rows in one place

    def __init__(self, parts, targets):
        self.parts = parts
        self.targets = targets

    def judge(self, coef, intercept):
        """Mean loss and score of the model."""
        answers = [each for each in self.parts.ask(partition.judge, coef, intercept) if each]
        losses, weights, scored = zip(*answers, strict=True)
        return sum(losses) / sum(weights), self.targets.score_of(scored)

    def checksum(self):
        """A text that differs for different rows."""
        return joblib.hash(self.parts.ask(partition.checksum_held_out))
