"""scikit-learn's callbacks around a fit: one task, with one subtask an epoch."""


class EpochTasks:
    """Tells the callbacks of an estimator when the fit and its epochs begin and end.

    Without callbacks every method does nothing.

    Attributes
    ----------
    n_epochs : int
        The largest number of epochs.
    is_silent : bool
        Whether there are no callbacks.
    """

    def __init__(self, estimator, X, y, sample_weight, epochs):
        self.n_epochs = epochs
        self.is_silent = not has_callbacks(estimator)
        if self.is_silent:
            return
        self._estimator = estimator
        self._arguments = {
            "X": X,
            "y": y,
            "metadata": {} if sample_weight is None else {"sample_weight": sample_weight},
        }
        self._fit = estimator._init_callback_context(max_subtasks=epochs)
        self._epoch = None

    def begin(self):
        """The fit begins."""
        if self.is_silent:
            return
        self._fit.call_on_fit_task_begin(estimator=self._estimator, **self._arguments)

    def begin_epoch(self):
        """An epoch begins."""
        if self.is_silent:
            return
        self._epoch = self._fit.subcontext(task_name="epoch")
        self._epoch.call_on_fit_task_begin(estimator=self._estimator, **self._arguments)

    def end_epoch(self, attributes):
        """An epoch ends; True if a callback asks to stop.

        `attributes` is a function that returns the fitted attributes so far.
        """
        if self.is_silent:
            return False
        return self._epoch.call_on_fit_task_end(
            estimator=self._estimator, reconstruction_attributes=attributes, **self._arguments
        )

    def end(self):
        """The fit ends; the estimator has its attributes."""
        if self.is_silent:
            return
        self._fit.call_on_fit_task_end(
            estimator=self._estimator, reconstruction_attributes={}, **self._arguments
        )


class EpochCallback:
    """A callback of scikit-learn that only hears of the ends of epochs, in `end_epoch`."""

    def setup(self, estimator, context):
        """Do nothing when the fit is set up."""

    def teardown(self, estimator, context):
        """Do nothing when the fit is over."""

    def on_fit_task_begin(self, estimator, context):
        """Do nothing when the fit or an epoch begins."""

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        """Pass the model on at the end of an epoch.

        Parameters
        ----------
        estimator : GDRegressor or GDClassifier
            The estimator that is trained.
        context : sklearn.callback.CallbackContext
            Says which task has ended.
        fitted_estimator : GDRegressor or GDClassifier
            The model as if training had ended here.
        """
        if context.task_name == "epoch":
            self.end_epoch(estimator, context.task_id + 1, fitted_estimator)


def has_callbacks(estimator):
    """Whether an estimator has callbacks."""
    return bool(getattr(estimator, "_skl_callbacks", None))
