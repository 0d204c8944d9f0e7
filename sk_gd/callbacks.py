"""A callback that stores the model while it is trained, so that training can be continued.

`sklearn.callback` has more callbacks, such as a progress bar.
"""

import os
import pickle
import tempfile
from numbers import Integral
from pathlib import Path

from .estimators.base import GDEstimator
from .training.callbacks import EpochCallback

__all__ = ["Checkpoint"]


def __dir__():
    """List what is public: shells complete it."""
    return sorted(__all__)


class Checkpoint(EpochCallback):
    """Stores the model after every epoch; training that was killed continues from there.

    `fit` begins to train, or continues from the file if there is one. So a program that was
    interrupted is simply started again: in the end its model has the same bits as if nothing had
    happened. The file is complete at any moment: the model is written beside it, and then renamed.
    It is a pickle: open only files that you trust.

    Parameters
    ----------
    path : str or path-like
        The file.
    every : int, default=1
        Epochs from one checkpoint to the next. To write takes about a millisecond, and more on
        slow disks.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn.datasets import load_iris
    >>> from sk_gd import GDClassifier
    >>> from sk_gd.callbacks import Checkpoint
    >>> X, y = load_iris(return_X_y=True)
    >>> model = GDClassifier("adam", max_iter=20, tol=None, warm_start=True, random_state=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     checkpoint = Checkpoint(Path(folder) / "model.pickle", every=5)
    ...     model = checkpoint.fit(model, X, y)
    ...     checkpoint.load().n_iter_
    20
    """

    def __init__(self, path, every=1):
        if not isinstance(every, Integral) or every < 1:
            raise ValueError(
                f"every must be a number of epochs, at least 1. Got {every!r} instead."
            )
        self.path = Path(path)
        self.every = every

    def fit(self, estimator, X, y, **arguments):
        """Train an estimator, or continue with the model in the file.

        Parameters
        ----------
        estimator : GDRegressor or GDClassifier
            With ``warm_start=True``, and an int as `random_state`, without which no fit is like
            another.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data, the same ones as before.
        y : array-like
            Targets or labels.
        **arguments : dict
            Further arguments of ``fit``.

        Returns
        -------
        GDRegressor or GDClassifier
            The fitted estimator: `estimator` itself, or the model from the file. It has trained
            for `max_iter` epochs in all, and those before if `estimator` is fitted already, unless
            it has settled before.
        """
        if not isinstance(estimator, GDEstimator):
            raise TypeError(
                "estimator must be an instance of GDRegressor or GDClassifier. "
                f"Got {estimator!r} instead."
            )
        if not estimator.warm_start:
            raise ValueError(
                "warm_start must be True, with which fit continues. Got False instead."
            )
        model, others = self.load(), getattr(estimator, "_skl_callbacks", [])
        given = estimator.get_params(deep=False)
        if model is None:
            model = estimator
        else:
            goal, epochs_before = model.max_iter, getattr(estimator, "n_iter_", 0)
            if goal == epochs_before + given["max_iter"]:
                # An unfinished model: the file counts the epochs before the first checkpoint.
                model.set_params(max_iter=given["max_iter"])
            if repr(model) != repr(estimator):
                raise ValueError(
                    f"The estimator must have the parameters of the model in {self.path}, which is "
                    f"{model!r}. Got {estimator!r} instead; remove the file to begin anew."
                )
            left = goal - model.n_iter_
        if model is estimator or (left > 0 and not model._run.is_settled):
            if model is not estimator:
                model.set_params(max_iter=left)
            mine = [each for each in others if each is not self]
            try:
                model.set_callbacks(*mine, self).fit(X, y, **arguments)
            finally:
                # Otherwise the next fit would write into the file, whatever its data are.
                model.set_callbacks(*others).set_params(max_iter=given["max_iter"])
            self._write(model, model.max_iter)
        return model

    def load(self):
        """Load the model from the file.

        Returns
        -------
        GDRegressor, GDClassifier or None
            The model; None if there is no file.
        """
        if not self.path.exists():
            return None
        try:
            model = pickle.loads(self.path.read_bytes())
        except (pickle.UnpicklingError, EOFError) as error:
            raise self._refused("no complete pickle") from error
        if not isinstance(model, GDEstimator):
            raise self._refused(f"an object of {type(model).__name__}")
        return model

    def _refused(self, got):
        """The error for a file that is not a checkpoint."""
        return ValueError(
            f"{self.path} must be a file that a Checkpoint has written. Got {got} instead: give "
            "another path, or remove the file."
        )

    def setup(self, estimator, context):
        """Raise an error before the first epoch, and not after it, if the folder cannot be used.

        Parameters
        ----------
        estimator : GDRegressor or GDClassifier
            The estimator that is to be trained.
        context : sklearn.callback.CallbackContext
            The task of the fit.
        """
        if not self.path.parent.is_dir():
            raise FileNotFoundError(f"The folder of the checkpoint {self.path} must exist.")
        if not os.access(self.path.parent, os.W_OK):
            raise PermissionError(f"The folder of the checkpoint {self.path} must be writable.")

    def end_epoch(self, estimator, epoch, fitted):
        """Write the model at the end of an epoch.

        Parameters
        ----------
        estimator : GDRegressor or GDClassifier
            The estimator that is trained.
        epoch : int
            Counted from one in this fit.
        fitted : GDRegressor or GDClassifier
            The model as if training had ended here.
        """
        if epoch % self.every == 0:
            self._write(fitted, fitted.n_iter_ + estimator.max_iter - epoch)

    def _write(self, fitted, max_iter):
        """Write the model, without callbacks: beside the file, to the disk, then rename."""
        model = type(fitted)(**fitted.get_params(deep=False) | {"max_iter": max_iter})
        for name, value in vars(fitted).items():
            if name == "_run" or (name.endswith("_") and not name.startswith("_")):
                setattr(model, name, value)
        descriptor, beside = tempfile.mkstemp(dir=self.path.parent, prefix=self.path.name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                pickle.dump(model, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, self.path)
        except BaseException as error:
            Path(beside).unlink(missing_ok=True)
            if isinstance(error, OSError) and error.filename is None:
                error.filename = str(self.path)  # a full disk does not say where it is
            raise
