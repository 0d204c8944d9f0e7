"""When a run takes the Hessian itself: whenever it has taken as many epochs as that costs."""

import numpy as np

from ..objectives.hessian import LossHessian, inverse_hessian

# The Hessian costs about ANY epochs, (outputs + 1) × columns / COLUMNS for the products of the
# rows, and weights² / (ROWS × rows) for the inverse.
ANY, COLUMNS, ROWS = 12, 8, 3


def take_hessian(run, data):
    """Give the rule of a run the Hessian if it profits, and if it is due.

    A run that ends before is as fast as without it. Others take about twice as long at most, since
    they spend as much on Hessians as on epochs.
    """
    rule, coordinates, loss = run.lane.rule, data.coordinates, data.problem.loss
    if (
        not rule.takes_hessian()
        or loss.quadratic
        or loss.has_corners
        # Held-out rows may be the best predicted on the way to the minimum.
        or run.config.validated
        or coordinates.axes is not None
        or data.problem.whole_batches_only
        or run.history.n_recent % _cost(data) > 0
    ):
        return
    hessian = LossHessian(data)(np.asarray(run.lane.w))
    if hessian is None:
        return
    curvature = run.lane.penalty.curvature()
    inverse = inverse_hessian(
        hessian + coordinates.hessian_products(np.eye(len(hessian)), curvature)
    )
    if inverse is not None:
        rule.take_hessian(run.lane.w, inverse)


def _cost(data):
    """How many epochs take as long as the Hessian, about."""
    n_outputs, n_columns = data.coordinates.n_outputs, data.coordinates.n_columns
    products = (n_outputs + 1) * n_columns / COLUMNS
    inverse = (n_outputs * n_columns) ** 2 / (ROWS * data.n)
    return round(ANY + products + inverse)
