"""The steps of a pipeline before the last one: fitted once for many candidates."""

from sklearn.base import clone


class _StandIn:
    """Takes the place of a step in a pipeline, and has the attributes of the step."""

    def __init__(self, step):
        self._step = step

    def __getattr__(self, name):
        if name == "_step":  # of a copy that is being made
            raise AttributeError(name)
        return getattr(self._step, name)


class LastStep(_StandIn):
    """Takes the place of the last step: notes what that step is to be fitted to.

    Parameters
    ----------
    model : estimator
        The last step.

    Attributes
    ----------
    X, y : array-like
        The data after all transformers.
    parameters : dict
        What else the last step's `fit` is given.
    """

    def __init__(self, model):
        super().__init__(model)
        self.model = model

    def fit(self, X, y, **parameters):
        """Note the arguments."""
        self.X, self.y, self.parameters = X, y, parameters
        return self


class Remembering(_StandIn):
    """Takes the place of a fitted transformer: transforms the same object only once.

    Parameters
    ----------
    transformer : transformer
        A fitted one, which stays as it is.
    """

    def __init__(self, transformer):
        super().__init__(transformer)
        self._known = []

    def transform(self, X, **parameters):
        """Transform X, or return what has been made of it before."""
        if parameters:
            return self._step.transform(X, **parameters)
        for given, found in self._known:
            if given is X:
                return found
        self._known.append((X, self._step.transform(X)))
        return self._known[-1][1]


def fit_transformers(pipeline, X, y, parameters):
    """Fit all steps of a copy of a pipeline but the last one.

    Returns
    -------
    steps : list of (str, transformer)
        The fitted steps.
    last : LastStep
        What the last step is to be fitted to.
    """
    # A copy: scikit-learn is yet to set the parameters of the pipeline and of its steps.
    pipeline = clone(pipeline)
    name, model = pipeline.steps[-1]
    last = LastStep(model)
    pipeline.set_params(steps=[*pipeline.steps[:-1], (name, last)])
    pipeline.fit(X, y, **parameters)
    return pipeline.steps[:-1], last


def remembering(steps):
    """Return fitted steps that transform the same rows only once, for many candidates."""
    return [
        (name, Remembering(step) if hasattr(step, "transform") else step) for name, step in steps
    ]
