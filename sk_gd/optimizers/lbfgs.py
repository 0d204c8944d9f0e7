# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""L-BFGS: the Hessian from the last few changes of the gradient, on the full batch."""

import cython
import numpy as np

from ..indices import chunks
from ..parameters import check_boolean, check_integer

if cython.compiled:
    from cython.cimports.libc.float import DBL_EPSILON
    from cython.cimports.libc.math import INFINITY, fabs, fmax, fmin, isfinite, sqrt
    from cython.cimports.sk_gd.objectives.base import Objective
    from cython.cimports.sk_gd.optimizers.base import Rule
    from cython.cimports.sk_gd.optimizers.line_search import between, beyond
    from cython.cimports.sk_gd.optimizers.vectors import add_multiple
    from cython.cimports.sk_gd.optimizers.vectors import inner_product as dot

    from .base import Optimizer
else:
    from math import inf as INFINITY
    from math import isfinite, sqrt

    from ..objectives.base import Objective
    from .base import Optimizer, Rule
    from .line_search import between, beyond
    from .vectors import add_multiple
    from .vectors import inner_product as dot

    DBL_EPSILON, fabs, fmax, fmin = 2.0**-52, abs, max, min

# The weak Wolfe conditions: the objective falls by this share of what the slope promises, and the
# slope becomes flatter by this share. With these usual numbers the first trial is nearly always
# accepted.
DECREASE = cython.declare(cython.double, 1e-4)
FLATTER = cython.declare(cython.double, 0.1)
# If two values differ by less than this, relatively, slopes decide (Hager & Zhang, 2005).
NOISE = cython.declare(cython.double, 1e-10)
# The most trials of one search. In raw coordinates the first step may be that many halves too long.
TRIALS = cython.declare(cython.int, 60)
# The gradient is not taken ahead at a step that is longer than the last one by this factor: an
# exponential loss may be infinite there.
LONGER = cython.declare(cython.double, 4.0)
# A change of the gradient that is no longer, relative to the first gradient, is only rounding.
ROUNDED = cython.declare(cython.double, 1e-11)
# With more weights the Hessian costs more than it saves, and the model is large in a file.
MOST_WEIGHTS = 300
# If a gradient at the same weights differs by more, relative to the first one, the data are others.
OTHER = cython.declare(cython.double, 1e-8)


class LBFGS(Optimizer):
    r"""Limited-memory BFGS: Newton's method with a Hessian estimated from recent gradients.

    .. math::
        w_t &= w_{t-1} - \sigma_t H_t \, g_t, \quad
        H_{t+1} = (I - \rho s y^\top) H_t (I - \rho y s^\top) + \rho s s^\top \\
        &\text{with } s = w_t - w_{t-1}, \; y = g_{t+1} - g_t, \; \rho = 1 / \langle s, y \rangle

    where H is never formed. It is applied by means of the last pairs (s, y), beginning with the
    identity times :math:`\langle s, y \rangle / \langle y, y \rangle`. The step size :math:`\sigma`
    satisfies the weak Wolfe conditions. In nearly all steps it is the learning rate, so that an
    epoch costs one evaluation. The learning rate is 1 unless you want shorter steps.

    Full accuracy takes tens of epochs, hundreds if the classes are nearly separable, and about ten
    with ``precondition="whiten"`` where that makes the Hessian close to the identity. The method
    needs the full batch: two mini-batches have different gradients even at the same weights. An L1
    penalty is an error. Losses with corners are minimised nearly as well as smooth ones in
    regression; the hinge loss takes longer.

    With many rows, a run begins with a few iterations on a sixteenth of them. The minimum of the
    sample is close to that of all rows, and the pairs (s, y) of the sample are about those of all
    rows, so that two or three full passes are often enough. With the log loss on sparse rows of
    many entries, such as texts, it begins with up to sixteen passes of dual coordinate ascent,
    which take one row at a time, unless rows are held out. They come nearer to the minimum than
    twice as many iterations, or so near that none is needed. Neither is counted, and the loss
    curve begins after them.

    An epoch is one iteration. The method is that of scikit-learn and scipy except for the line
    search. scipy's own code cannot be stopped, pickled and resumed between two iterations, which
    callbacks, ``warm_start`` and ``partial_fit`` need. If the line search finds no lower value,
    the pairs are discarded and the method begins again from the gradient. A ``partial_fit`` on
    other data keeps the pairs. They are wrong by as much as the data differ, which costs some
    trials.

    Good for smooth losses on full batches, also if there are many rows. It is the method of choice
    for high accuracy, and there it is the default of the estimators.

    Parameters
    ----------
    maxcor : int, default=10
        Number of pairs (s, y) that are kept (scipy's name). Each pair takes two vectors
        of the size of the weights.
    hessian : bool, default=False
        Whether to compute the Hessian itself once a run has taken as many epochs as that costs (12
        or more), and again after as many more. H is then made from its inverse, and from the pairs
        since: the next steps are about those of Newton's method. Long runs, as with nearly
        separable classes, end soon, and nearer to the minimum. On small data, runs of more than 12
        epochs end with a few such steps, which are not counted, at the minimum. It has no effect
        for the squared error or a loss with corners, with more than 300 weights, with held-out
        rows, along principal components, on a cluster, in `ClipNorm`, in `ClipValue`, or in
        `scipy.optimize.minimize`.

    References
    ----------
    Liu, D. C. & Nocedal, J. (1989). On the limited memory BFGS method for large
    scale optimization. Mathematical Programming 45. doi:10.1007/BF01589116

    Lewis, A. S. & Overton, M. L. (2013). Nonsmooth optimization via
    quasi-Newton methods. Mathematical Programming 141.
    doi:10.1007/s10107-012-0514-2 (the line search, algorithm 2.6)

    Yu, H.-F., Huang, F.-L. & Lin, C.-J. (2011). Dual coordinate descent methods for logistic
    regression and maximum entropy models. Machine Learning 85. doi:10.1007/s10994-010-5221-8

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sk_gd import GDClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = GDClassifier("lbfgs", max_iter=50, tol=None).fit(X, y)
    >>> bool(model.score(X, y) > 0.97)
    True
    """

    default_rate = "own"
    full_batch = "required"
    smooth_only = True
    sample_steps = 8
    can_follow = True
    # Of models of early versions, which have no such parameter.
    hessian = False

    def __init__(self, maxcor=10, hessian=False):
        self.maxcor = maxcor
        self.hessian = hessian

    def check(self):
        check_integer(self, "maxcor", 1)
        check_boolean(self, "hessian")

    def rule(self, n):
        return LBFGSRule(self, n)


@cython.final
@cython.cclass
class LBFGSRule(Rule):
    """A rule that lets the loop take the gradient at the first trial of the next search.

    If the trial is accepted, this is also the gradient at the next weights, so that an
    iteration costs one evaluation.
    """

    maxcor: cython.Py_ssize_t
    # At the weights: the value, the gradient, the direction, and the slope along the direction.
    f: cython.double[::1]
    g: cython.double[::1]
    direction: cython.double[::1]
    slope: cython.double[::1]
    # The first trial of the next search, its distance, and whether to take the gradient there: 0 if
    # not, 1 if so, 2 if so although the first trial of the last search failed.
    trial: cython.double[::1]
    length: cython.double[::1]
    ahead: cython.double[::1]
    # The lengths of the first gradient and of the last step.
    largest: cython.double[::1]
    last: cython.double[::1]
    # How many pairs there have been, the pairs (s, y) that are kept, and 1 / <s, y>.
    pairs: cython.double[::1]
    s: cython.double[:, ::1]
    y: cython.double[:, ::1]
    rho: cython.double[::1]
    # The largest curvature so far.
    max_curvature: cython.double[::1]
    # The inverse of the Hessian, about, before the pairs; None if only they are known. If it is of
    # some weights only, it is that of as many after them, too, and so on.
    inverse: cython.double[:, ::1]
    # With more pairs it is known how near the minimum is.
    enough = cython.declare(cython.double, visibility="public")
    # If the value is no higher in the first step, there is nothing to gain.
    goal = cython.declare(cython.double, visibility="public")
    # Within one step: the gradient at the trial, the change of weights and gradient, the shares.
    there: cython.double[::1]
    moved: cython.double[::1]
    change: cython.double[::1]
    share: cython.double[::1]

    def __init__(self, optimizer, n):
        Rule.__init__(self, optimizer, n)
        self.maxcor = optimizer.maxcor
        self.f, self.g = self.array("f", 1), self.array("g")
        self.direction, self.slope = self.array("direction"), self.array("slope", 1)
        self.trial = self.array("trial", position=True)
        self.length, self.ahead = self.array("length", 1), self.array("ahead", 1)
        self.largest, self.last = self.array("largest", 1), self.array("last", 1)
        self.pairs, self.max_curvature = self.array("pairs", 1), self.array("max_curvature", 1)
        self.s, self.y = (self.array(name, (self.maxcor, n)) for name in "sy")
        self.rho = self.array("rho", self.maxcor)
        self.inverse, self.enough, self.goal = None, INFINITY, -INFINITY
        self.there, self.moved, self.change = np.empty((3, n))
        self.share = np.empty(self.maxcor)
        if optimizer.hessian and n <= MOST_WEIGHTS:
            self.array("inverse", (n, n))

    def memory(self):
        if self.takes_hessian():
            known = np.zeros((1, 1)) if self.inverse is None else np.asarray(self.inverse)
            self.arrays["inverse"][:] = np.kron(np.eye(self.n // len(known)), known)
        return self.arrays

    def restore(self, t, memory):
        Rule.restore(self, t, memory)
        self.check_count("pairs")  # it says where the next pair goes
        if self.takes_hessian() and self.arrays["inverse"].any():
            self.inverse = np.array(self.arrays["inverse"])

    def takes_hessian(self):
        return "inverse" in self.arrays

    def take_hessian(self, w, inverse):
        self.inverse = inverse
        self.pairs[0] = self.max_curvature[0] = 0
        self.aim()
        # The first trial is looked for anew, at the same learning rate as the last one.
        self.look_ahead(w, self.length[0])

    def never_rises(self):
        return True

    def leave_sample(self):
        # The pairs stay. The next gradient is one of all rows, at the weights.
        self.t, self.ahead[0] = 0, 0

    def stop_below(self, goal):
        self.goal = goal

    def begin_at(self, w, inverse):
        """Begin anew at `w`, where the inverse of the Hessian is this matrix, about."""
        self.inverse = inverse
        self.pairs[0] = self.max_curvature[0] = self.ahead[0] = 0
        self.t, self.enough, self.goal = 0, -1, -INFINITY
        self.last[0] = sqrt(dot(w, w, self.n))

    def newton_step(self, g):
        """The step to the minimum if the gradient were `g`, as far as the curvature is known."""
        self.two_loop_recursion(g, self.moved)
        return np.array(self.moved)

    def kept(self):
        """Where the pairs are that are kept, the oldest first."""
        made = int(self.pairs[0])
        return np.arange(max(0, made - self.maxcor), made) % self.maxcor

    def follow(self, w, added, lr, guess=None, inverse=None):
        self.inverse = inverse
        order = self.kept()
        for rows in chunks(len(order), self.n):
            self.arrays["y"][rows] += added(self.arrays["s"][rows])
        slope = added(np.array(w)[None])[0]
        self.arrays["g"] += slope
        self.f[0] += 0.5 * dot(slope, w, self.n)
        self.measure(len(order))
        # The curvature of the others was that of the other function.
        with_curvature = order[np.isfinite(self.arrays["rho"][order])]
        if len(with_curvature) < len(order):
            for name in ("s", "y", "rho"):
                self.arrays[name][: len(with_curvature)] = self.arrays[name][with_curvature]
            self.pairs[0] = len(with_curvature)
        self.t, self.enough, self.goal = 0, 0, -INFINITY
        self.aim()
        if guess is not None and dot(self.g, guess, self.n) < 0:
            self.arrays["direction"][:] = guess
            self.slope[0] = dot(self.g, guess, self.n)
        # The first step may be longer than the last one, by which the other run had come to rest.
        self.last[0] = sqrt(dot(w, w, self.n))
        self.look_ahead(w, lr)

    @cython.cfunc
    @cython.exceptval(check=False)
    def measure(self, kept: cython.Py_ssize_t) -> cython.void:
        """Compute the curvature of the first pairs; without any, 1 / <s, y> is infinite."""
        i: cython.Py_ssize_t
        self.max_curvature[0] = 0
        for i in range(kept):
            sy: cython.double = dot(self.s[i], self.y[i], self.n)
            yy: cython.double = dot(self.y[i], self.y[i], self.n)
            self.rho[i] = INFINITY
            if sy > DBL_EPSILON * yy and sqrt(yy) > ROUNDED * self.largest[0]:
                self.rho[i] = 1 / sy
                self.max_curvature[0] = fmax(self.max_curvature[0], yy / sy)

    def gain(self):
        known = -0.5 * self.slope[0] if self.pairs[0] > self.enough else INFINITY
        return 0.0 if self.f[0] <= self.goal else known

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def probe(self, w: cython.double[::1], point: cython.double[::1]) -> cython.bint:
        if self.ahead[0] == 0:
            return False
        point[:] = self.trial
        return True

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=False)
    def advance(self, w: cython.double[::1], objective: Objective, lr: cython.double) -> cython.int:
        f: cython.double = objective.here()
        ahead: cython.bint = self.ahead[0] != 0
        if not ahead:
            # The gradient was taken at the weights.
            self.arrive(objective.g, f, self.t == 1)
            if self.t == 1 and f <= self.goal:
                return 0
            self.goal = -INFINITY
        elif objective.begins_data():
            ahead = not self.arrive(self.there, objective.gradient(w, self.there), False)
        if not ahead:
            self.aim()
            self.length[0] = lr
            if self.t == 1 and self.inverse is not None:
                # The direction is a good one. Perhaps nothing is left to gain.
                self.look_ahead(w, lr)
                if self.ahead[0] != 0:
                    return 0
        else:
            self.there[:] = objective.g
        if self.search(w, objective, f, ahead, lr):
            self.aim()
        elif self.pairs[0] > 0 or self.inverse is not None:
            if self.pairs[0] == 0:
                self.inverse = None
            self.pairs[0] = 0
            self.aim()
        self.look_ahead(w, lr)
        return 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def arrive(self, g: cython.double[::1], f: cython.double, first: cython.bint) -> cython.bint:
        """Store value and gradient at the weights if they are of another function.

        Returns whether they are. If not, the stored ones stay the same to the bit.
        """
        j: cython.Py_ssize_t
        apart: cython.double = 0
        size: cython.double = 0
        for j in range(self.n):
            apart += (g[j] - self.g[j]) * (g[j] - self.g[j])
            size += g[j] * g[j]
        if first:
            self.largest[0] = sqrt(size)
        elif sqrt(apart) <= OTHER * self.largest[0]:
            return False
        self.f[0] = f
        self.g[:] = g
        return True

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def aim(self) -> cython.void:
        """Compute the direction -H g, and the slope along it."""
        self.two_loop_recursion(self.g, self.direction)
        self.slope[0] = dot(self.g, self.direction, self.n)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def two_loop_recursion(self, g: cython.double[::1], out: cython.double[::1]) -> cython.void:
        """Compute -H g by two loops over the pairs."""
        i: cython.Py_ssize_t
        j: cython.Py_ssize_t
        k: cython.Py_ssize_t
        scale: cython.double
        made: cython.Py_ssize_t = cython.cast(cython.Py_ssize_t, self.pairs[0])
        oldest: cython.Py_ssize_t = made - self.maxcor if made > self.maxcor else 0
        for j in range(self.n):
            out[j] = -g[j]
        for k in range(made - oldest):
            i = (made - 1 - k) % self.maxcor
            self.share[i] = self.rho[i] * dot(self.s[i], out, self.n)
            add_multiple(out, -self.share[i], self.y[i], self.n)
        if self.inverse is not None:
            self.change[:] = out
            size: cython.Py_ssize_t = self.inverse.shape[0]
            for j in range(self.n):
                out[j] = dot(self.inverse[j % size], self.change[j - j % size :], size)
        else:
            if made > 0:
                i = (made - 1) % self.maxcor
                scale = 1 / (self.rho[i] * dot(self.y[i], self.y[i], self.n))
            else:
                # The curvature is not known. As in scipy the step has a length of one at most.
                scale = 1 / fmax(1.0, sqrt(dot(g, g, self.n)))
            for j in range(self.n):
                out[j] *= scale
        for k in range(oldest, made):
            i = k % self.maxcor
            change: cython.double = self.share[i] - self.rho[i] * dot(self.y[i], out, self.n)
            add_multiple(out, change, self.s[i], self.n)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def look_ahead(self, w: cython.double[::1], lr: cython.double) -> cython.void:
        """Choose the first trial of the next search, and whether to take the gradient there."""
        j: cython.Py_ssize_t
        # If the first trial failed twice in turn, the next may, too. What is evaluated ahead is the
        # loss of the epoch, which would be that of weights that the run never had.
        first: cython.bint = self.length[0] == lr
        soon: cython.bint = first or self.ahead[0] == 1 or self.t == 1
        longest: cython.double = LONGER * self.last[0]
        for j in range(self.n):
            self.trial[j] = w[j] + lr * self.direction[j]
        self.length[0] = lr
        soon &= lr * sqrt(dot(self.direction, self.direction, self.n)) <= longest
        self.ahead[0] = (1 if first else 2) if soon else 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=False)
    def search(
        self,
        w: cython.double[::1],
        objective: Objective,
        f: cython.double,
        ahead: cython.bint,
        lr: cython.double,
    ) -> cython.bint:
        """Search along the direction until the weak Wolfe conditions hold; False if they never do.

        If `ahead`, the first trial has been evaluated already: `f` and `there`.
        """
        j: cython.Py_ssize_t
        k: cython.int
        slope: cython.double
        low: cython.double = 0
        low_slope: cython.double = self.slope[0]
        high: cython.double = INFINITY
        size: cython.double = self.length[0]
        flat: cython.double = (1 - FLATTER * fmin(lr, 1.0)) * self.slope[0]
        if not self.slope[0] < 0:
            return False
        for k in range(TRIALS):
            if k > 0 or not ahead:
                for j in range(self.n):
                    self.trial[j] = w[j] + size * self.direction[j]
                f = objective.gradient(self.trial, self.there)
            slope = dot(self.there, self.direction, self.n)
            lower: cython.bint = f <= self.f[0] + DECREASE * size * self.slope[0] or (
                f <= self.f[0] + NOISE * fabs(self.f[0])
                and slope <= (2 * DECREASE - 1) * self.slope[0]
            )
            if not lower:
                if -size * self.slope[0] < DBL_EPSILON * fabs(self.f[0]):
                    # The decrease that is left is smaller than the rounding.
                    return False
                # A parabola has its minimum in the first half. Other losses are linear far away.
                farthest: cython.double = size if high == INFINITY else 0.5 * (low + size)
                high, size = size, between(low, low_slope, size, slope, isfinite(f))
                size = fmin(size, farthest)
            elif slope < flat:
                if k == TRIALS - 1:
                    self.accept(w, f, size)
                    return True
                size, low = beyond(low, low_slope, size, slope, high), size
                low_slope = slope
            else:
                self.accept(w, f, size)
                return True
        return False

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def accept(self, w: cython.double[::1], f: cython.double, size: cython.double) -> cython.void:
        """Move to the trial, and keep the pair unless it is only rounding."""
        i: cython.Py_ssize_t = cython.cast(cython.Py_ssize_t, self.pairs[0]) % self.maxcor
        j: cython.Py_ssize_t
        for j in range(self.n):
            self.moved[j] = self.trial[j] - w[j]
            self.change[j] = self.there[j] - self.g[j]
        ss: cython.double = dot(self.moved, self.moved, self.n)
        sy: cython.double = dot(self.moved, self.change, self.n)
        yy: cython.double = dot(self.change, self.change, self.n)
        # In a direction without curvature the change of the gradient is only rounding.
        if sy > DBL_EPSILON * yy and sy > DBL_EPSILON * self.max_curvature[0] * ss:
            self.max_curvature[0] = fmax(self.max_curvature[0], yy / sy)
            self.s[i, :] = self.moved
            self.y[i, :] = self.change
            self.rho[i] = 1 / sy
            self.pairs[0] += 1
        self.last[0], self.length[0], self.f[0] = sqrt(ss), size, f
        w[:] = self.trial
        self.g[:] = self.there
