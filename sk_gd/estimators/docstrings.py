"""The parts of the docstrings that GDRegressor and GDClassifier share."""

import functools
import textwrap

from .. import losses, optimizers

PARAMETERS = r"""
    optimizer : str or Optimizer, default="auto"
        The method that updates the weights: a name of ``sk_gd.optimizers.names()``,
        an instance such as ``optimizers.Nesterov(momentum=0.95)``, or an instance
        of your own subclass of ``optimizers.Optimizer``. The hyper-parameters of an
        instance are tuned by names such as ``optimizer__momentum``.

        "auto" is ``LBFGS`` on full batches, or ``BarzilaiBorwein`` if there is an L1
        penalty. It is ``ScheduleFreeAdamW(beta_1=0.975, beta_2=0.988)`` on mini-batches
        if the loss does not suit full batches (``hinge``, ``perceptron``, and your own
        unless its class says so), if the loss limits the influence of outliers and there
        is an L1 penalty, in `partial_fit`, and if `learning_rate`, `batch_size`,
        `schedule` or `average` is set. The attribute `optimizer_` is the one that was
        used. "What the defaults do" in the user guide has all cases and the reasons.
    loss : str or Loss, default="{loss}"
        The loss function: a name of ``sk_gd.losses.names("{kind}")``, an instance
        with parameters of your choice, or an instance of your own subclass of
        ``losses.Loss``. The parameters of an instance are tuned by names such as
        ``loss__epsilon``.

{choices}
    alpha : float or str, default="auto"
        Strength of the penalty (:math:`\alpha`); 0 is no penalty. "auto" computes it
        from the data:

        .. math:: \alpha = \kappa \, \frac{{T}}{{n \, R}}

        Here n is the sum of the weights of the rows (in `partial_fit` the number of
        rows so far). T is the mean number of features that are not zero in a row,
        without the constant ones; with ``scale_penalty=False`` it is the sum of the
        variances of the features. R is the signal-to-noise ratio under which the
        targets are the most probable; it is reduced where the penalty would be very
        weak. :math:`\kappa` is the typical curvature of the loss: 1 for
        ``squared_error``, and 1 / (4 K) for ``log_loss`` with K classes. "What the
        defaults do" in the user guide has the details.

        A text such as "10 * auto" is a multiple of this number. The attribute
        `alpha_` is the number that was used.
    l1_ratio : float in [0, 1], default=0
{l1_ratio}
    scale_penalty : bool, default=True
        Whether each coefficient is multiplied by the size of its feature before it is
        penalised, so that the units of the features do not matter. The size is the
        standard deviation, divided by the root of the share of rows in which the
        feature is not zero. So it is the standard deviation of a feature without
        zeros, and about 1 for a rare 0/1 indicator. Constant features have the
        size 1. With False the coefficients are penalised as they are. The objective
        is then the one of ``SGDClassifier``, ``LogisticRegression`` and ``Ridge``.

        There is one exception, made for texts: with the automatic `alpha` and more than
        256 features that are mostly zero, True also penalises the coefficients as they
        are if this makes the targets clearly likelier. `scale_penalty_` says what was
        done. To use the sizes in any case, give `alpha` as a number.
    fit_intercept : bool, default=True
        Whether the model has an intercept. The intercept is not penalised.
    learning_rate : "auto" or float, default="auto"
{learning_rate}
    schedule : str, Schedule or callable, default="constant"
        What the learning rate is multiplied by during training: a name of
        ``sk_gd.schedules.names()``, an instance such as
        ``schedules.Warmup(5, then="cosine")``, or a function such as
        ``lambda epochs, horizon: 1 / np.sqrt(1 + epochs)``. The function takes the
        training times in epochs, as an array, and the horizon. The horizon is
        `max_iter`, plus the epochs run before under `warm_start`. The parameters of
        an instance are tuned by names such as ``schedule__then``.
    batch_size : "auto", "full" or int, default="auto"
{batch_size}
    max_iter : int, default=100
        Maximum number of epochs (passes over the training data). With a full batch an
        epoch is one step or iteration.
    tol : float or None, default=1e-4
        Training stops when the objective has not improved by `tol` times itself for
        `n_iter_no_change` epochs. If there is validation data, the validation loss, or
        the score of ``scoring``, is watched instead. Without a penalty, and on validation
        data, a loss below a thousandth of that of a constant model counts as this
        thousandth. With None, training never stops before `max_iter`.
    n_iter_no_change : int, default=5
        Number of epochs without improvement after which training stops. On the full batch,
        epochs in which the objective falls faster and faster do not count. With momentum it
        swings, and epochs in which it is higher by more than `tol` do not count either.
        Training stops at once where the gradient of a full batch is zero.
    early_stopping : bool, default=False
        Whether to hold out a part of the training data for validation. The loss on
        it, or the score of ``scoring``, is watched, and the weights with the best one are
        kept.
    validation_fraction : float in (0, 1), default=0.1
        Share of the training data that `early_stopping` holds out.
    scoring : str, callable or None, default=None
        The score on the validation data that decides when training stops, and which
        weights are kept: a name of ``sklearn.metrics.get_scorer_names()``, or a
        function ``scorer(estimator, X, y)`` that gives higher values for better models,
        such as those of ``sklearn.metrics.make_scorer``. It is given the weights of the
        rows, those of `class_weight` included, if there are any. With None the
        validation loss decides. It needs validation data, from `early_stopping` or from
        `X_val` and `y_val`.
    average : "auto", bool or int, default="auto"
{average}
    precondition : "standardize", "whiten" or None, default="standardize"
        The coordinates in which the optimizer works. The objective, including the
        penalty, is the same in all of them, and so is the minimiser. X is neither
        changed nor copied.

        - "standardize": Each feature, and for regression the target, is centred and
          divided by its standard deviation. Sparse features are centred only by
          optimizers that need the full batch, or if their mean is more than three
          standard deviations from zero; otherwise they are divided by their root mean
          square. A learning rate means the same on every data set.
        - "whiten": The full covariance matrix is used, so that plain gradient
          descent behaves like Newton's method. This costs n_samples × n_features²
          once and n_features² in each step, and needs ``l1_ratio=0``.
          ``optimizer="auto"`` chooses it in place of "standardize" where it pays.
        - None: Raw features, as in textbooks.
    shuffle : bool, default=True
        Whether each epoch reads the rows in a new order. The full batch is never
        shuffled. X with more than two million entries is shuffled in two levels: short
        runs of adjacent rows in random order, and single rows among the runs that are
        in the cache together (CorgiPile, Xu et al., SIGMOD 2022,
        `doi:10.1145/3514221.3526150 <https://doi.org/10.1145/3514221.3526150>`_).
        If X is a memory-mapped file, runs and groups are longer.
    warm_start : bool, default=False
        Whether `fit` continues from the last call. If that call was a `fit` with
        `warm_start`, with the same objective and the same data, training resumes with
        the full state of the optimizer. Otherwise it begins with the weights of the
        last call.
    random_state : int, RandomState or None, default=None
        Seeds the order of the rows, the validation split, and optimizers that draw
        random numbers. With an int, the result is the same to the last bit for any
        number of jobs and threads.
    verbose : int, default=0
        If positive, one line is printed after each epoch."""

# Descriptions that list optimizers by name. The lists are made from the classes.
NAMING = {
    "l1_ratio": """Share of the L1 norm in the penalty: 0 is ridge, 1 is lasso. Must be 0 for
        optimizers that need a smooth objective ({smooth_only}).""",
    "learning_rate": """Size of the steps, in the coordinates of `precondition`. "auto"
        depends on the optimizer. If its steps scale with the gradient ({smoothness}), it is
        1 / L, where L is the smoothness constant of the data at this batch size. If it finds
        the size of its steps by itself ({own}), it is 1. For all others, it is their
        ``default_rate`` divided by the square root of the trace of the Hessian. The line search
        ``armijo`` begins with the learning rate, and the steps of ``polyak`` are never
        longer.""",
    "batch_size": """Number of rows in each step. "full" is batch gradient descent, 1 is
        stochastic gradient descent, and anything between is mini-batch gradient descent. "auto"
        is the full batch for optimizers that need it ({required}) or are better with it
        ({preferred}), and on tiny data. Otherwise it is a hundredth of the rows, between 32 and
        256, and more if the rows are so sparse that the step would cost more than the
        gradient.""",
    "average": """Whether to predict with a running average of the iterates, in which later
        iterates count more. An int is the epoch, counted from one, at which averaging begins.
        Averaging reduces the noise of mini-batches at a constant learning rate. "auto" is True
        for the optimizers that rely on it ({averages}), else False.""",
}

ATTRIBUTES = """
    n_iter_ : int
        Number of epochs run.
    t_ : int
        Number of optimizer steps taken.
    loss_curve_ : list of float
        Training objective of each epoch, including the penalty. It is the mean over
        the batches of the epoch, each evaluated before its step.
    evaluation_curve_ : list of int
        Number of evaluations of the objective on a batch, in each epoch. It is one
        per step, and more for optimizers that need more, such as line searches.
    validation_loss_curve_ : list of float
        Mean loss on the validation data after each epoch, without the penalty. Only
        present if there is validation data.
    validation_scores_ : list of float
        {score} on the validation data after each epoch, or the score of ``scoring``. Only
        present if there is validation data.
    alpha_ : float
        The strength of the penalty that was used, also if `alpha` is "auto".
    scale_penalty_ : bool
        Whether the penalty is on the coefficients times the sizes of their features. With
        this value, and `alpha_` for the strength, the objective is the same.
    learning_rate_ : float
        The learning rate that was used, also if `learning_rate` is "auto".
    batch_size_ : int
        Number of rows in each step, also if `batch_size` is "auto" or "full": all rows that
        train, if a step reads them all. After `partial_fit`, that of the latest part.
    optimizer_ : Optimizer
        The optimizer that was used.
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features. Only present if X has feature names."""

FIT = """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data.
        y : array-like of shape %(y)s
            %(target)s.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows. An integer weight counts as that many copies of the row.
        X_val : {array-like, sparse matrix} of shape (n_samples_val, n_features), default=None
            Validation data. The stopping rule watches the loss on them, or the score of
            ``scoring``, and the weights with the best one are kept. No training data are
            held out then. A search passes X_val unchanged to every fit, unless it has
            as many rows as X: scikit-learn then splits it as it splits X.
        y_val : array-like, default=None
            Targets of X_val, in the same form as y. Needed with X_val.
        sample_weight_val : array-like of shape (n_samples_val,), default=None
            Weights of the rows of X_val.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        DivergenceError
            If training diverges because the learning rate is too large. The
            estimator is left as it was before the call.
        KeyboardInterrupt
            If the user presses Ctrl-C. Once an epoch has ended, the estimator keeps the
            model so far.
        """

PARTIAL_FIT = """Train for one epoch on the given data, continuing from the last call.

        The means and variances of the features, and the unit of the target, are running
        statistics of all calls. When they change, the weights are converted so that the
        model remains the same function. The strength ``alpha="auto"`` follows them; the
        signal-to-noise ratio is that of the call with the most rows so far.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            One part of the training data.
        y : array-like of shape %(y)s
            %(target)s.%(classes)s
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows. Only their ratios within one call matter.

        Returns
        -------
        self : object
            The estimator. If an error is raised, it is left as it was.
        """

CLASSES = """
        classes : array-like of shape (n_classes,), default=None
            All classes that will ever occur. Needed in the first call only."""


def parameters(kind, loss):
    """Return `PARAMETERS` for one kind of estimator, with a list of its losses."""
    choices = "\n".join(
        f'        - "{name}": {losses.TABLE[name].__doc__.splitlines()[0]}'
        for name in losses.names(kind)
    )
    return PARAMETERS.format(kind=kind, loss=loss, choices=choices, **_naming())


@functools.cache
def _naming():
    """Return the texts of `NAMING`, with the names of the optimizers, as lines of a docstring."""
    instances = {name: cls() for name, cls in optimizers.TABLE.items()}

    def names(attribute, value):
        found = (name for name, each in instances.items() if getattr(each, attribute) == value)
        return ", ".join(f"``{name}``" for name in found)

    lists = {
        "smoothness": names("default_rate", "smoothness"),
        "own": names("default_rate", "own"),
        "required": names("full_batch", "required"),
        "preferred": names("full_batch", "preferred"),
        "smooth_only": names("smooth_only", True),
        "averages": names("default_average", True),
    }
    return {
        parameter: textwrap.fill(
            " ".join(text.format(**lists).split()),
            width=88,
            initial_indent=" " * 8,
            subsequent_indent=" " * 8,
            break_on_hyphens=False,
        )
        for parameter, text in NAMING.items()
    }


def documented(text, **fields):
    """Return a decorator that gives a method the docstring `text`."""

    def decorate(method):
        method.__doc__ = text % fields
        return method

    return decorate
