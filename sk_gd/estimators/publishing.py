"""What a run leaves behind: fitted attributes, lines of progress, convergence warnings."""

import contextlib

import numpy as np

# Fitted attributes that some fits have and others have not.
OPTIONAL = ("feature_names_in_", "validation_loss_curve_", "validation_scores_")

# In fewer steps than that, an objective that rises a little says nothing about the learning rate.
JUDGED = 50

# A rise of the objective by this share of the loss of a constant model is worth a warning.
NOTICED = 0.005


def model_attributes(loss, targets, coef, intercept, dtype):
    """The fitted attributes that predictions need."""
    coef, intercept = targets.published(loss, coef, intercept)
    return {
        **targets.attributes(),
        "coef_": np.asarray(coef, dtype=dtype),
        "intercept_": intercept.astype(dtype),
    }


def fitted_attributes(run, problem, data, seen):
    """The fitted attributes of a run; `seen` are those that the validation of X gave."""
    history = run.history
    fitted = {
        **seen,
        **model_attributes(problem.loss, problem.targets, *run.model(), problem.dtype),
        "n_iter_": history.n_epochs,
        "t_": run.n_steps,
        "loss_curve_": list(history.loss_curve),
        "evaluation_curve_": list(history.evaluation_curve),
        "alpha_": run.config.penalty.alpha,
        "scale_penalty_": np.ndim(run.coordinates.feature_size) > 0,
        "learning_rate_": run.config.learning_rate,
        "batch_size_": problem.n if data.n_batches == 1 else int(data.batch_size),
        "optimizer_": run.lane.rule.optimizer,
    }
    if run.config.validated:
        fitted["validation_loss_curve_"] = list(history.validation_loss_curve)
        fitted["validation_scores_"] = list(history.validation_scores)
    return fitted


@contextlib.contextmanager
def published(estimator, attributes):
    """Give an estimator its fitted attributes; take them back if the block fails."""
    state, before = vars(estimator), dict(vars(estimator))
    for name in OPTIONAL:
        state.pop(name, None)
    state.update(attributes)
    try:
        yield
    except BaseException:
        for name in (*OPTIONAL, *attributes):
            state.pop(name, None)
            if name in before:
                state[name] = before[name]
        raise


def epoch_line(run):
    """What `verbose` prints after an epoch."""
    history = run.history
    line = f"epoch {history.n_epochs}: objective {history.loss_curve[-1]:.6g}"
    if run.config.validated:
        line += (
            f", validation loss {history.validation_loss_curve[-1]:.6g}"
            f", validation score {history.validation_scores[-1]:.4g}"
        )
    return line


def convergence_message(run, settings, change, unfinished):
    """The text of a warning if training ended too early, or above where it began; else None.

    `change` is what training made of the objective.
    """
    rate = run.config.learning_rate
    automatic = settings.learning_rate == "auto"
    curve = run.history.recent(run.history.loss_curve)
    settled = run.stopping.stale >= settings.n_iter_no_change
    since, before, after = "after the first epoch", curve[0], curve[-1]
    risen = change.rise > NOTICED * run.config.loss_unit
    if risen:
        since, before, after = "before training", change.before, change.after
    elif not settled or change.began_at_zero:
        after = before  # training goes on, or a loss that is zero without a model could only grow
    judged = run.lane.rule.t >= JUDGED or (risen and settled)
    if after > before and (judged or (after > 2 * before > 0 and not automatic)):
        return f"The objective is {after:.6g} and was {before:.6g} {since}: " + (
            f"set a learning_rate below {rate:.3g}, which was chosen automatically."
            if automatic
            else f"decrease the learning_rate (it was {rate:.3g}) or use learning_rate='auto'."
        )
    if unfinished and settings.tol is not None:
        other = "" if automatic else ", use learning_rate='auto'"
        watched = "objective"
        if run.config.validated:
            watched = "validation loss" if settings.scoring is None else "validation score"
        return (
            f"max_iter={settings.max_iter} epochs were over before the {watched} settled to within "
            f"tol={settings.tol} of itself for {settings.n_iter_no_change} epochs. Increase "
            f"max_iter or tol{other}, or set tol=None to run max_iter epochs without this warning."
        )
    return None
