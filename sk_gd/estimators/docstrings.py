"""The documentation that GDRegressor and GDClassifier share, written once."""

from .. import losses

PARAMETERS = """
    optimizer : str or Optimizer, default="auto"
        How the weights are moved: a name of ``sk_gd.optimizers.names()``, an
        instance such as ``optimizers.Nesterov(momentum=0.95)``, or an instance
        of your own subclass of ``optimizers.Optimizer``. "auto" is
        ``ScheduleFreeAdamW(beta_1=0.975, beta_2=0.988)``: of all that work on
        mini-batches it left the smallest gap to the optimum on the worst of many
        data sets after 100 epochs, and after 20 hardly more than the best. To tune
        the hyper-parameters of an instance: ``optimizer__momentum``.
    loss : str or Loss, default="{loss}"
        What a prediction costs: a name of ``sk_gd.losses.names("{kind}")``, an
        instance with parameters of your choice, or an instance of your own
        subclass of ``losses.Loss``. To tune a parameter of an instance:
        ``loss__epsilon``.

{choices}
    alpha : float, default=1e-4
        Strength of the penalty on the coefficients, which are those of raw features:
        see "Features in small units" in the user guide. 0 is none.
    l1_ratio : float in [0, 1], default=0
        Share of the L1 norm in the penalty: 0 is ridge, 1 is lasso. Must be 0
        for ``lbfgs``, which needs a smooth objective.
    fit_intercept : bool, default=True
        Whether the model has an intercept. It is not penalised.
    learning_rate : "auto" or float, default="auto"
        Size of the steps, in the coordinates of `precondition`. "auto" is the
        ``default_rate`` of the optimizer over the root of the trace of the
        Hessian, or, for optimizers that have no scale of their own
        (``sgd``, ``momentum``, ``nesterov``, ``svrg``), 1 / L with L the smoothness
        constant of the data at this batch size. For optimizers that find the
        size of their steps (``dog``, ``prodigy``, ``lbfgs``, ...) it is 1. The
        line search ``armijo`` begins with it, and ``polyak`` takes no longer steps.
    schedule : str, Schedule or callable, default="constant"
        What the learning rate is multiplied by as training goes on: a name of
        ``sk_gd.schedules.names()``, an instance such as
        ``schedules.Warmup(5, then="cosine")``, or a function of the training
        times in epochs, an array, and of the horizon, `max_iter` (after those
        run before under `warm_start`), such as
        ``lambda e, horizon: 1 / np.sqrt(1 + e)``. To tune the parameters of an
        instance: ``schedule__then``.
    batch_size : "auto", "full" or int, default="auto"
        Rows a step: "full" is batch descent, 1 is stochastic, anything between
        is mini-batch. "auto" is the full batch for optimizers that need it
        (``lbfgs``, ``rprop``, ``adgd``, ``barzilai_borwein``) or are better with it
        (``random_search``, ``random_local_search``), and on tiny data; a hundredth of
        the rows, from 32 to 256, beyond; more where the rows are so sparse that the
        step would cost more than the gradient.
    max_iter : int, default=100
        Epochs, passes over the training data, at most.
    tol : float or None, default=1e-4
        Training stops when the objective (the validation loss, if there is
        validation data) has not improved by `tol` for `n_iter_no_change`
        epochs. In the units of `precondition`: for regression, unless it is
        None, relative to the variance of the target. None: never.
    n_iter_no_change : int, default=5
        Epochs without improvement before training stops.
    early_stopping : bool, default=False
        Hold out `validation_fraction` of the training data, watch the loss on
        it, and keep the weights that were best on it.
    validation_fraction : float in (0, 1), default=0.1
        Share of the data that `early_stopping` holds out.
    average : "auto", bool or int, default="auto"
        Predict with a running average of the iterates, in which the last ones
        weigh most; an int is the epoch, counted from one, at which it begins.
        Settles the noise of mini-batches at a constant learning rate. "auto" is
        True for the optimizers that rely on it (``dog``, ``dowg``, ``prodigy``,
        ``dadapt_adam``), else False.
    precondition : "standardize", "whiten" or None, default="standardize"
        The coordinates the optimizer works in. The objective, penalty
        included, is the same in all of them, and so is the minimiser. X is
        neither changed nor copied.

        - "standardize": features (and, for regression, the target) are
          measured from their mean in their deviation; sparse features in their
          deviation only. A learning rate means the same on every data set.
        - "whiten": the full covariance matrix is used, so that plain descent
          behaves like Newton's method. Costs n_samples × n_features² once and
          n_features² a step; needs ``l1_ratio=0``.
        - None: raw features, as textbooks print it.
    shuffle : bool, default=True
        Whether every epoch reads the rows in a new order. The full batch is
        never shuffled.
    warm_start : bool, default=False
        Whether `fit` goes on from where the last call stopped: with all of the
        optimizer's state if that was a `fit` with `warm_start`, of the same
        objective to the same data, else from its weights.
    random_state : int, RandomState or None, default=None
        Of the orders and of the validation split. With an int the result is
        the same, to the bit, whatever the number of jobs and threads.
    verbose : int, default=0
        Print a line an epoch."""

ATTRIBUTES = """
    n_iter_ : int
        Epochs run.
    t_ : int
        Steps taken.
    loss_curve_ : list of float
        Training objective of every epoch, penalty included: the mean over the
        batches as they were seen, before the step that each led to.
    evaluation_curve_ : list of int
        How often the objective was evaluated on a batch in every epoch: once a
        step, and more by optimizers that ask for more, such as line searches.
    validation_loss_curve_ : list of float
        Mean loss on the validation data after every epoch, if there is any.
    validation_scores_ : list of float
        {score} on the validation data after every epoch, if there is any.
    learning_rate_ : float
        The learning rate, "auto" resolved.
    optimizer_ : Optimizer
        The optimizer used.
    n_features_in_ : int
        Number of features seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X has them."""

FIT = """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data.
        y : array-like of shape %(y)s
            %(target)s.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows; an integer weight is as good as as many copies.
        X_val : {array-like, sparse matrix} of shape (n_samples_val, n_features), default=None
            Validation data. They are watched, in place of a part held out, by
            the stopping rule; the weights that were best on them are kept. A
            search hands them to every fit, unless they have as many rows as X:
            scikit-learn takes them for a part of it then, and splits them.
        y_val : array-like, default=None
            Their targets, in the form of y; needed with X_val.
        sample_weight_val : array-like of shape (n_samples_val,), default=None
            Their weights.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        DivergenceError
            If the learning rate is too large; the estimator is left as it was.
        """

PARTIAL_FIT = """Train for one epoch over the given data, going on from the last call.

        Means, deviations and the unit of the target are running ones; when
        they move, the weights are expressed anew, and the model stays the same
        function.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            A part of the training data.
        y : array-like of shape %(y)s
            %(target)s.%(classes)s
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, relative to each other.

        Returns
        -------
        self : object
            The estimator, or, if an error is raised, the estimator as it was.
        """

CLASSES = """
        classes : array-like of shape (n_classes,), default=None
            All classes there will be; needed in the first call only."""


def parameters(kind, loss):
    """`PARAMETERS` of a kind of estimator, whose losses are listed with what they are for."""
    choices = "\n".join(
        f'        - "{name}": {losses.TABLE[name].__doc__.splitlines()[0]}'
        for name in losses.names(kind)
    )
    return PARAMETERS.format(kind=kind, loss=loss, choices=choices)


def documented(text, **fields):
    """A decorator that gives a method the docstring `text`."""

    def decorate(method):
        method.__doc__ = text % fields
        return method

    return decorate
