# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, freethreading_compatible=True
"""Optimizer (hyper-parameters) and Rule (one run of it): the base of all families.

An `Optimizer` is a small scikit-learn object that never changes while a model
is trained. `Optimizer.rule(n)` creates the `Rule` that holds the arrays of one
run over `n` weights. A rule's `step` is the formula, and is all that most
rules write.
"""

import warnings
from numbers import Real

import cython
import numpy as np
from sklearn.base import BaseEstimator

from ..objectives.functions import Function
from ..parameters import comes_first


@cython.cclass
class Rule:
    """The state of one run of an optimizer over `n` weights.

    Attributes
    ----------
    t : int
        Steps begun; 1 during the first step.
    local : bool
        Whether a zero gradient changes nothing, and one gradient at the weights is all that
        the rule wants. Of a sparse batch such a rule steps over the coordinates only that the
        batch touches, by `step_at`.
    arrays : dict of str to ndarray
        The run's memory, by name; everything that must survive a pickle.
    positions : set of str
        The arrays that are points in the space of the weights, to be moved
        with them when the coordinates change.
    """

    def __init__(self, optimizer, n):
        self.optimizer = optimizer
        self.n = n
        self.t = 0
        self.local = False
        self.arrays = {}
        self.positions = set()
        self.stepped = None
        self.steps = None

    def array(self, name, size=None, *, position=False):
        """A zeroed array that is pickled under `name`."""
        self.arrays[name] = np.zeros(self.n if size is None else size)
        if position:
            self.positions.add(name)
        return self.arrays[name]

    def start(self, w):
        """Begin at `w`: the arrays that are positions start there."""
        for name in self.positions:
            self.arrays[name][:] = w

    def seed(self, seed):
        """Take the seed of the run, an int, if the rule draws random numbers."""

    def memory(self):
        """Everything that must survive a pickle but `t`, as a dict."""
        return self.arrays

    def restore(self, t, memory):
        """Continue from the `t` and the `memory` of another run."""
        self.t = t
        for name, values in memory.items():
            self.arrays[name][:] = values

    def __reduce__(self):
        return _revive, (self.optimizer, self.n, self.t, self.memory())

    def __call__(self, w, function, lr):
        """One step from Python: change `w` in place.

        `function` is a `Function`, or only its gradient for a rule that asks for nothing else.
        """
        if not isinstance(function, Function):
            function = Function(None, function)
        function.look(self.gradient_point(w), self.needs_gradient())
        self.t += 1
        self.advance(w, function, lr)

    def gradient_point(self, w):
        """The point at which the rule wants its gradient, when the run is at `w`."""
        point = np.empty(self.n)
        return point if self.probe(w, point) else w

    def model(self, w):
        """The weights to predict with, when the run is at `w`."""
        out = np.empty(self.n)
        self.report(w, out)
        return out

    def has_metric(self):
        """Whether the rule has a metric, for a proximal step."""
        return self.rate(0, 1.0) >= 0

    def descends(self):
        """Whether the rule wants gradients."""
        return self.needs_gradient()

    def probe(self, w, point):
        """Where the rule wants its gradient: False for `w`, or fill `point` and say True."""
        return False

    def needs_gradient(self):
        """Whether the rule wants a gradient at all; if not, only the value at `w` is computed."""
        return True

    def advance(self, w, objective, lr):
        """One step, with the right to ask `objective` for more than one gradient."""
        return self.step(w, objective.g, lr)

    def step(self, w, g, lr):
        """One step: change `w` in place, given the gradient `g` at the probed point."""
        raise NotImplementedError

    def step_at(self, w, g, lr, where, count):
        """`step` of a local rule over the first `count` coordinates listed in `where`."""
        # A local rule writes its formula once, as `step_along`, and both loops around it: the
        # compiler joins them. A loop here would call the formula anew for every coordinate,
        # which takes six times as long.
        raise NotImplementedError

    def rate(self, j, lr):
        """Step per unit of gradient at coordinate `j`: the rule's metric; -1 if it has none.

        The proximal step is taken in this metric. Only then is the fixed point of the rule
        the minimiser of the penalised objective.
        """
        return -1.0

    def proximal_step(self, w, penalty, lr):
        """Take the proximal step of `penalty` after `step`, in the metric of the rule.

        Only called if the penalty has such a step. A rule that keeps something which depends
        on where the weights really went overrides this; `stepped` is where `step` led to.
        """
        j: cython.Py_ssize_t
        self.keep_stepped(w)
        for j in range(self.n):
            self.steps[j] = self.rate(j, lr)
        penalty.prox(w, self.steps)
        return 0

    def keep_stepped(self, w):
        """Copy the weights to `stepped`; the first time, make it and `steps`."""
        j: cython.Py_ssize_t
        if self.steps is None:
            with cython.gil:
                self.stepped = np.empty(self.n)
                self.steps = np.empty(self.n)
        for j in range(self.n):
            self.stepped[j] = w[j]
        return 0

    def report(self, w, out):
        """Write the weights to predict with into `out`."""
        out[:] = w


def _revive(optimizer, n, t, memory):
    rule = optimizer.rule(n)
    rule.restore(t, memory)
    return rule


@cython.cclass
class NumpyRule(Rule):
    """A run of a user's optimizer, whose `step` is written in numpy.

    The user's state is whatever `Optimizer.init` returned. A rule of unknown
    metric takes the subgradient of the L1 penalty, which has the right fixed
    point for every rule.
    """

    def __init__(self, optimizer, n):
        Rule.__init__(self, optimizer, n)
        self.state = {}
        self.w = None
        self.g = None
        self.w_address = 0
        self.g_address = 0

    def start(self, w):
        self.state = self.optimizer.init(np.array(w))

    def memory(self):
        return self.state

    def restore(self, t, memory):
        self.t = t
        self.state = memory

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=False)
    def step(self, w: cython.double[::1], g: cython.double[::1], lr: cython.double) -> cython.int:
        with cython.gil:
            # Wrapping a buffer as an array costs more than the step of a short
            # vector; the loop hands over the same two buffers every time.
            if cython.compiled:
                at_w: cython.size_t = cython.cast(cython.size_t, cython.address(w[0]))
                at_g: cython.size_t = cython.cast(cython.size_t, cython.address(g[0]))
                if self.w is None or at_w != self.w_address or at_g != self.g_address:
                    self.w = np.asarray(w)
                    self.g = np.asarray(g)
                    self.w_address = at_w
                    self.g_address = at_g
            else:
                self.w = w
                self.g = g
            before = np.array(self.w) if self.t == 1 else None
            result = self.optimizer.step(self.w, self.g, lr, self.state)
            if result is not None and result is not self.w:
                raise TypeError(
                    f"{type(self.optimizer).__name__}.step must change w in place, as by w -= ..., "
                    f"and return nothing. Got {type(result).__name__} instead."
                )
            # One that only keeps something knows what it does.
            still = before is not None and not self.state and np.all(before == self.w)
            if still and lr > 0 and np.any(self.g):
                warnings.warn(
                    f"The first {type(self.optimizer).__name__}.step has not changed w, though the "
                    "gradient is not zero: it must do so in place, as by w -= ...; w = w - ... "
                    "makes another array.",
                    stacklevel=2,
                )
        return 0


def _check_choices(cls):
    """Raise a TypeError if a class makes a choice by a name or a value that is not known."""
    for name, instead in (
        ("parameter_free", 'default_rate = "own" if the rule finds the size of its steps'),
        ("default_full_batch", 'full_batch = "preferred" if the rule is better with it'),
    ):
        if hasattr(cls, name):
            raise TypeError(f"{cls.__name__}.{name} is not known: write {instead}, else nothing.")
    rate, batch = cls.default_rate, cls.full_batch
    number = isinstance(rate, Real) and not isinstance(rate, bool) and 0 < rate < float("inf")
    if not (number or _depends(rate) or rate in ("smoothness", "own")):
        raise TypeError(
            f"{cls.__name__}.default_rate must be a positive number, 'smoothness' (formerly None) "
            f"or 'own'. Got {rate!r} instead."
        )
    if not (_depends(batch) or batch in ("optional", "preferred", "required")):
        raise TypeError(
            f"{cls.__name__}.full_batch must be 'optional' (formerly False), 'preferred' or "
            f"'required' (formerly True). Got {batch!r} instead."
        )


def _depends(value):
    """Whether an attribute of a class is a property, which depends on the instance."""
    return hasattr(value, "__get__")


class Optimizer(BaseEstimator):
    """Base of all optimizers, and of your own.

    Your own optimizer is a subclass with the two methods below, in numpy:

    * ``init(w)`` returns the state of a run that begins at `w`, as a dict;
    * ``step(w, g, lr, state)`` changes `w` (and `state`) in place, given the
      gradient `g` and the learning rate `lr`; all are flat float64 vectors.

    Hyper-parameters are the arguments of ``__init__``, stored under their
    names, so that ``get_params``, ``clone`` and ``GridSearchCV`` over
    ``optimizer__momentum`` work.

    Every optimizer, your own too, is also a `method` of
    `scipy.optimize.minimize`, on any function of a vector. Its options are
    ``learning_rate`` ("auto" knows nothing of the function: plain descent asks for a
    number), ``schedule`` (an iteration is an epoch), ``max_iter`` (10000), ``tol`` (the largest
    entry of the gradient at which to stop, 1e-5) and ``random_state``.

    Attributes
    ----------
    default_rate : float, "smoothness" or "own"
        What ``learning_rate="auto"`` means.

        - A number is for rules whose steps do not scale with the gradient. It is
          the rate in coordinates in which the Hessian has the trace one, and is
          divided by the root of the trace. In standardised coordinates that is the
          root of the number of features times the curvature of the loss: a step
          then changes the loss by as much whatever they are.
        - "smoothness", the default, is for rules whose steps scale with the
          gradient: one over the smoothness constant of the data.
        - "own" is for rules that find the size of their steps: exactly 1.
    full_batch : {"optional", "preferred", "required"}
        What the rule makes of mini-batches. "optional", the default: it takes
        them. "preferred": it takes them, but ``batch_size="auto"`` is the full
        batch. "required": a smaller batch is an error.
    noise_gain : float
        By how much the rule multiplies the noise of a mini-batch gradient. In the
        smoothness constant the noise counts so many times.
    smooth_only : bool
        Whether the rule needs a smooth objective: then an L1 penalty is an error.
    default_average : bool
        What ``average="auto"`` means.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_gd import GDRegressor
    >>> from sk_gd.optimizers import Optimizer
    >>> class Signum(Optimizer):
    ...     default_rate = 0.005
    ...     def __init__(self, momentum=0.9):
    ...         self.momentum = momentum
    ...     def init(self, w):
    ...         return {"v": np.zeros_like(w)}
    ...     def step(self, w, g, lr, state):
    ...         state["v"] *= self.momentum
    ...         state["v"] += (1 - self.momentum) * g
    ...         w -= lr * np.sign(state["v"])
    >>> X, y = np.arange(6.0)[:, None], 2 * np.arange(6.0) + 1
    >>> model = GDRegressor(Signum(), max_iter=300, tol=None).fit(X, y)
    >>> bool(abs(model.coef_[0] - 2) < 0.1)
    True

    On any function:

    >>> from scipy.optimize import minimize, rosen, rosen_der
    >>> from sk_gd.optimizers import BarzilaiBorwein
    >>> found = minimize(rosen, [-1.2, 1.0], jac=rosen_der, method=BarzilaiBorwein())
    >>> found.x.round(3), found.success
    (array([1., 1.]), True)
    >>> options = {"learning_rate": 0.1, "schedule": "cosine", "max_iter": 100}
    >>> found = minimize(lambda x: (x[0] - 3) ** 2, 0.0, method=Signum(), options=options)
    >>> found.x.round(2)
    array([3.])
    """

    default_rate = "smoothness"
    full_batch = "optional"
    noise_gain = 1.0
    smooth_only = False
    default_average = False

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        _check_choices(cls)
        # A step of its own would never be asked where a compiled rule is inherited.
        if comes_first(cls, "step", "rule"):
            cls.rule = Optimizer.rule

    def check(self):
        """Raise a ValueError if a hyper-parameter is out of its range."""

    def rule(self, n):
        """Create the run of this optimizer over `n` weights."""
        if type(self).step is Optimizer.step:
            raise TypeError(
                f"{type(self).__name__} has no step: an optimizer of your own defines "
                "step(w, g, lr, state), which changes w in place."
            )
        return NumpyRule(self, n)

    def init(self, w):
        """The state of a run that begins at `w`."""
        return {}

    def step(self, w, g, lr, state):
        """One step, in place."""
        raise NotImplementedError

    def __call__(self, fun, x0, args=(), **arguments):
        """Minimise any function: scipy calls its `method`; see `sk_gd.minimize.minimize`."""
        # In here, as it needs schedules, of which nothing else in this file knows.
        from ..minimize import minimize

        return minimize(self, fun, x0, args, **arguments)
