"""What the callbacks of the tests have in common."""


class Callback:
    """A callback with all hooks that scikit-learn asks for; they do nothing."""

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        pass
