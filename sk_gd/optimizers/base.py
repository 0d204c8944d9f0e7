# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""Optimizer (hyper-parameters) and Rule (one run of it): the base of all families.

An `Optimizer` is a small scikit-learn object that never changes while a model
is trained. `Optimizer.rule(n)` creates the `Rule` that holds the arrays of one
run over `n` weights. Most rules define `step` only: the formula.
"""

import cython
import numpy as np

from ..aligned import aligned
from ..hints import OF_OPTIMIZERS
from ..objectives.functions import Function
from ..parameters import Parameters, comes_first
from .checks import check_choices, check_first_step, check_returned, is_idle

if cython.compiled:
    from cython.cimports.libc.math import pow
else:
    from math import pow

    # What a method returns whose loops are compiled for several instruction sets, too.
    cloned_int = cython.int
    cloned_void = cython.void


@cython.cclass
class Rule:
    """The state of one run of an optimizer over `n` weights.

    Attributes
    ----------
    t : int
        Steps begun; 1 during the first step.
    local : bool
        Whether the rule only needs one gradient, at the weights, and a zero gradient changes
        nothing. For a sparse batch `step_at` then steps over the touched coordinates only.
    arrays : dict of str to ndarray
        The state of the run, by name. Whatever must survive a pickle is here.
    positions : set of str
        The names of the arrays that are points in the space of the weights. They move with
        the weights when the coordinates change.
    """

    def __init__(self, optimizer, n):
        self.optimizer = optimizer
        self.n = n
        self.t = 0
        self.local = False
        self.arrays = {}
        self.positions = set()
        self.stepped = self.steps = None

    def array(self, name, size=None, *, position=False):
        """Make an array of zeros that is pickled under `name`."""
        self.arrays[name] = aligned(np.zeros(self.n)) if size is None else np.zeros(size)
        if position:
            self.positions.add(name)
        return self.arrays[name]

    def start(self, w):
        """Begin at `w`: fill the arrays that are positions with it."""
        for name in self.positions:
            self.arrays[name][:] = w

    def begin_after(self, steps):
        """Take the weights to be the model that so many steps of this rule have found."""

    def rescale_slopes(self, factor):
        """Continue with slopes of the penalty that are so many times what they were.

        Only the part with a proximal step is meant. `factor` is an array.
        """

    def leave_sample(self):
        """Continue on all rows after the first steps, on a sample of them, which do not count."""
        self.t = 0

    def stop_below(self, goal):
        """Know that the first step is useless if the objective is not above `goal`."""

    def follow(self, w, added, lr, guess=None, inverse=None):
        """Continue from the minimum `w` on a function that is another one by a quadratic.

        Parameters
        ----------
        w : ndarray of shape (n,)
            The minimum of the function so far.
        added : callable
            Takes vectors, one a row, and returns the products with the Hessian that is added.
        lr : float
            The learning rate of the next step.
        guess : ndarray of shape (n,), optional
            By how much the minimum moves, about; None if the rule is to find out by itself.
        inverse : ndarray of shape (m, m), optional
            The inverse of the Hessian of the function, about, in which all m weights in turn are
            alike; None if it is not known.
        """
        raise NotImplementedError

    def takes_hessian(self):
        """Whether the rule profits from the Hessian, where that is cheap."""
        return False

    def take_hessian(self, w, inverse):
        """Continue from `w`, where the inverse of the Hessian is this matrix."""
        raise NotImplementedError

    def gain(self):
        """By how much the objective would fall to its minimum, if the rule knows; else infinite."""
        return float("inf")

    def seed(self, seed):
        """Set the seed, an int, if the rule draws random numbers."""

    def memory(self):
        """Everything but `t` that must survive a pickle, as a dict."""
        return self.arrays

    def restore(self, t, memory):
        """Continue from the `t` and the `memory` of another run of the same size."""
        self.t = t
        if not isinstance(memory, dict) or memory.keys() != self.arrays.keys():
            raise self._refused(f"a dict with the arrays {[*self.arrays]}", memory)
        for name, values in memory.items():
            own = self.arrays[name]
            # A shorter array would be repeated, and a number fill all of the array.
            if not isinstance(values, np.ndarray) or (
                (values.shape, values.dtype) != (own.shape, own.dtype)
            ):
                raise self._refused(f"a float64 array of shape {own.shape} as {name!r}", values)
            own[:] = values

    def check_count(self, name):
        """Raise a ValueError unless the only number of an array is an integer, not negative."""
        number = float(self.arrays[name][0])
        # Larger floats are all integers, also where the next one is meant.
        if not 0 <= number <= 2**53 or not number.is_integer():
            raise self._refused(f"an integer of at least 0 as {name!r}", number)

    def _refused(self, allowed, got):
        """The error for a `memory` that is not of a rule like this one."""
        if isinstance(got, np.ndarray):
            got = f"an array of {got.dtype} of shape {got.shape}"
        return ValueError(
            f"The state of {type(self.optimizer).__name__} for {self.n} weights must have "
            f"{allowed}. Got {got} instead."
        )

    def __reduce__(self):
        return _revive, (self.optimizer, self.n, self.t, self.memory())

    def __call__(self, w, function, lr):
        """One step from Python: change `w` in place.

        `function` is a `Function`, or a callable that returns the gradient, for a rule that
        needs no more.
        """
        if not isinstance(function, Function):
            function = Function(None, function)
        point = self.gradient_point(w)
        function.look(point, self.needs_gradient())
        self.t += 1
        self.advance(w, function, lr)

    def gradient_point(self, w):
        """The point at which the rule needs the gradient when the weights are `w`."""
        self._check_length(w)
        point = np.empty(self.n)
        return point if self.probe(w, point) else w

    def model(self, w):
        """The weights to predict with when the iterate is `w`."""
        self._check_length(w)
        out = np.empty(self.n)
        self.report(w, out)
        return out

    def _check_length(self, w):
        if len(w) != self.n:
            raise ValueError(f"A rule of {self.n} weights was given {len(w)}.")

    def at_zero(self, w, penalty):
        """Which weights of the model a penalty with a proximal step holds at zero, as booleans."""
        return np.asarray(w) == 0

    def has_metric(self):
        """Whether the rule has a metric in which a proximal step can be taken."""
        return self.rate(0, 1.0) >= 0

    def descends(self):
        """Whether the rule needs gradients."""
        return self.needs_gradient()

    def never_rises(self):
        """Whether the rule compares values, and never ends above where it began."""
        return False

    def swings(self):
        """Whether the rule keeps its velocity, runs past the minimum with it, and comes back."""
        return False

    def only_measures(self):
        """Whether all steps so far were tiny, to measure the objective, and improve nothing."""
        return False

    def probe(self, w, point):
        """Write where the gradient is needed into `point` and return True; return False for `w`."""
        return False

    def needs_gradient(self):
        """Whether the rule needs a gradient; if not, only the value at `w` is computed."""
        return True

    def advance(self, w, objective, lr):
        """One step of a rule that asks `objective` for more than one gradient."""
        return self.step(w, objective.g, lr)

    def step(self, w, g, lr):
        """One step: change `w` in place, given the gradient `g` at the probed point."""
        raise NotImplementedError

    def step_at(self, w, g, lr, where, count):
        """`step` of a local rule over the first `count` coordinates listed in `where`."""
        # A local rule has its formula in `step_along`, which `step` and `step_at` inline. Loops
        # in this class would be six times as slow: they would call it for every coordinate.
        raise NotImplementedError

    def rate(self, j, lr):
        """Step per unit of gradient at coordinate `j`: the metric of the rule; -1 for none.

        The proximal step is taken in this metric. Otherwise the fixed point of the rule would
        not be the minimiser of the penalised objective.
        """
        return -1.0

    def proximal_step(self, w, penalty, lr):
        """Take the proximal step of `penalty` after `step`, in the metric of the rule.

        Called only if the penalty has a proximal step. A rule overrides this if its state
        depends on the change; `stepped` has the weights as they were after `step`.
        """
        j: cython.Py_ssize_t
        self.keep_stepped(w)
        for j in range(self.n):
            self.steps[j] = self.rate(j, lr)
        penalty.prox(w, self.steps)
        return 0

    def keep_stepped(self, w):
        """Copy the weights to `stepped`. The first call allocates `stepped` and `steps`."""
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


def bias_correction(last, beta, t):
    """The factor 1 / (1 - beta**t) of a moving average, given that of the step before, or 0."""
    # Once the factor is one it stays so, and `pow` is slow where its result underflows.
    return last if last == 1 else 1 / (1 - pow(beta, t))


def _revive(optimizer, n, t, memory):
    rule = optimizer.rule(n)
    rule.restore(t, memory)
    return rule


@cython.cclass
class NumpyRule(Rule):
    """A run of a user's optimizer, whose `step` is written in numpy.

    The state is the dict that `Optimizer.init` returned. The metric of the rule is not known.
    Therefore a subgradient of the L1 penalty joins the gradient: the fixed point is then right
    for every rule.
    """

    def __init__(self, optimizer, n):
        Rule.__init__(self, optimizer, n)
        self.state = {}
        self.w = None
        self.g = None
        self.w_address = 0
        self.g_address = 0
        self.idle = 0

    def start(self, w):
        self._take(self.optimizer.init(np.array(w)))

    def memory(self):
        return self.state

    def restore(self, t, memory):
        self.t = t
        # Near the minimum steps may be too short to change a digit.
        self.idle = -1 if t > 0 else 0
        self._take(memory)

    def _take(self, state):
        if not isinstance(state, dict):
            raise TypeError(
                f"The state of {type(self.optimizer).__name__}, which init returns, must be a "
                f"dict. Got {type(state).__name__} instead."
            )
        self.state = state

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=False)
    def step(self, w: cython.double[::1], g: cython.double[::1], lr: cython.double) -> cython.int:
        with cython.gil:
            # Making an array of a buffer takes longer than a step of a short vector. The loop
            # passes the same two buffers every time, so the arrays are kept.
            if cython.compiled:
                at_w: cython.size_t = cython.cast(cython.size_t, cython.address(w[0]))
                at_g: cython.size_t = cython.cast(cython.size_t, cython.address(g[0]))
                # The user may have changed the shape of the array that was kept.
                if (
                    self.w is None
                    or at_w != self.w_address
                    or at_g != self.g_address
                    or self.w.ndim != 1
                    or self.g.ndim != 1
                ):
                    self.w = np.asarray(w)
                    self.g = np.asarray(g)
                    self.w_address = at_w
                    self.g_address = at_g
            else:
                self.w = w
                self.g = g
            before = np.array(self.w) if self.idle >= 0 else None
            result = self.optimizer.step(self.w, self.g, lr, self.state)
            if result is not None:
                check_returned(self.optimizer, result, self.w)
            if self.t == 1:
                check_first_step(self.optimizer, self.w, self.g, self.state)
            if before is not None:
                # Nobody knows whether a step without a gradient, or a rate, would change them.
                self.idle += lr > 0 and np.any(self.g)
                still = np.array_equal(before, self.w)
                if not (still and is_idle(self.optimizer, self.idle, self.state)):
                    self.idle = -1
        return 0


class Optimizer(Parameters):
    """Base of all optimizers, and of your own.

    To write your own optimizer, subclass `Optimizer` and define two methods, in numpy:

    * ``init(w)`` returns the state of a run that begins at `w`, as a dict;
    * ``step(w, g, lr, state)`` changes `w` (and `state`) in place, given the
      gradient `g` and the learning rate `lr`; all are flat float64 vectors. The next step is
      given the same two arrays: what the state keeps of them must be a copy.

    Hyper-parameters are the arguments of ``__init__``, stored under their
    names, so that ``get_params``, ``clone`` and ``GridSearchCV`` over
    ``optimizer__momentum`` work.

    Every optimizer, also your own, is a `method` of `scipy.optimize.minimize` for any function of
    a vector. The options are ``learning_rate`` (plain descent needs a number, since "auto" knows
    nothing of the function), ``schedule`` (an iteration is an epoch), ``max_iter`` (10000),
    ``tol`` (training stops if no entry of the gradient is larger, 1e-5) and ``random_state``.

    Attributes
    ----------
    default_rate : float, "smoothness" or "own"
        What ``learning_rate="auto"`` means.

        - A number is for rules whose steps do not scale with the gradient. The
          learning rate is this number over the root of the trace of the Hessian. In
          standardised coordinates the trace is the number of features times the
          curvature of the loss. A step then changes the loss by the same amount
          whatever the number of features is.
        - "smoothness", the default, is for rules whose steps scale with the gradient.
          The learning rate is one over the smoothness constant of the data.
        - "own" is for rules that find the size of their steps. The learning rate is 1.
    full_batch : {"optional", "preferred", "required"}
        Whether the rule needs the full batch. "optional", the default: it works with
        mini-batches. "preferred": it does, but ``batch_size="auto"`` is the full batch.
        "required": a smaller batch is an error.
    noise_gain : float
        The factor by which the rule multiplies the noise of a mini-batch gradient. The
        noise is multiplied by it in the smoothness constant, too.
    smooth_only : bool
        Whether the rule needs a smooth objective: then an L1 penalty is an error.
    default_average : bool
        What ``average="auto"`` means.
    sample_steps : int
        With how many steps on a sample of the rows a run on many rows begins. It pays for rules
        that learn the curvature: what they learn there stays useful. On sparse rows such rules
        may begin with dual coordinate ascent instead. The default is 0.
    can_follow : bool
        Whether the rule defines `follow`, and also `begin_at`, `newton_step` and `kept`, as that of
        L-BFGS does.

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

    default_rate: float | str | None = "smoothness"
    full_batch: str = "optional"
    noise_gain: float = 1.0
    smooth_only = False
    default_average = False
    sample_steps = 0
    can_follow = False
    # `optimizers.get`, which is defined where all names are known.
    _get = None
    _words = OF_OPTIMIZERS

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        check_choices(cls)
        # A subclass of a compiled optimizer that defines `step` must not inherit the compiled
        # rule, which would never call it.
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
        # Imported here, since nothing else in this file needs schedules.
        from ..minimize import minimize

        return minimize(self, fun, x0, args, **arguments)
