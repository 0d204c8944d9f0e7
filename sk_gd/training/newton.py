"""When a run takes the Hessian itself: whenever it has taken as many epochs as that costs.

On few numbers it takes the Hessian at its end, too.
"""

import numpy as np

from ..objectives.hessian import LossHessian, inverse_hessian

# The Hessian costs about ANY epochs, (outputs + 1) × columns / COLUMNS for the products of the
# rows, and weights² / (ROWS × rows) for the inverse.
ANY, COLUMNS, ROWS = 12, 8, 3
# With so few rows × weights a run ends with steps of Newton's method, if a Hessian costs at most so
# many times the epochs.
FEW_NUMBERS, DEAR = 1 << 20, 2
# There are so many of these steps at most, and no more once so little is left to gain, as a share
# of the loss of a constant model. After a few of them the Hessian is computed again.
LAST_STEPS, LEFT, FEW_STEPS = 12, 1e-17, 3


def take_hessian(run, data):
    """Give the rule of a run the Hessian if it profits, and if it is due.

    A run that ends before is as fast as without it. Others take about twice as long at most, since
    they spend as much on Hessians as on epochs.
    """
    if _profits(run, data) and run.history.n_recent % _cost(data) == 0:
        _give_hessian(run, data)


def last_steps(run, data):
    """Yield for each step that takes a run, which has settled, to its minimum; they do not count.

    Where L-BFGS stops depends on the rounding, which every iteration magnifies: another unit of a
    feature could be seen in the predictions. The minimum does not depend on it. Short runs magnify
    little.
    """
    n_epochs, cost = run.history.n_recent, _cost(data)
    if (
        # A rule that knows how near the minimum is has come near enough.
        run.stopping.at_minimum
        or not max(ANY + 1, cost / DEAR) <= n_epochs
        or data.n * len(run.lane.w) > FEW_NUMBERS
        or not _profits(run, data)
    ):
        return
    rule = run.lane.rule
    t, enough, rule.enough = rule.t, rule.enough, -1  # it knows what is left to gain
    # With the Hessian of some epochs ago, the first steps are good ones.
    first = int(n_epochs >= cost)
    try:
        for step in range(first, LAST_STEPS):
            if not rule.gain() > LEFT or (step % FEW_STEPS == 0 and not _give_hessian(run, data)):
                break
            yield
    finally:
        rule.t, rule.enough = t, enough


def _profits(run, data):
    """Whether the rule of a run can use the Hessian, and its data have one."""
    loss = data.problem.loss
    return (
        run.lane.rule.takes_hessian()
        and not loss.quadratic
        and not loss.has_corners
        # Held-out rows may be the best predicted on the way to the minimum.
        and not run.config.validated
        and data.coordinates.axes is None
        and not data.problem.whole_batches_only
    )


def _give_hessian(run, data):
    """Give the rule of a run the Hessian at its weights; False if it has no inverse."""
    hessian = LossHessian(data)(np.asarray(run.lane.w))
    if hessian is None:
        return False
    curvature = run.lane.penalty.curvature()
    inverse = inverse_hessian(
        hessian + data.coordinates.hessian_products(np.eye(len(hessian)), curvature)
    )
    if inverse is None:
        return False
    run.lane.rule.take_hessian(run.lane.w, inverse)
    return True


def _cost(data):
    """How many epochs take as long as the Hessian, about."""
    n_outputs, n_columns = data.coordinates.n_outputs, data.coordinates.n_columns
    products = (n_outputs + 1) * n_columns / COLUMNS
    inverse = (n_outputs * n_columns) ** 2 / (ROWS * data.n)
    return round(ANY + products + inverse)
