"""What to write in place of the words of other packages: for the messages of errors."""

# Parameters of SGDClassifier, LogisticRegression, MLPClassifier and torch.
OF_ESTIMATORS = {
    "eta0": "the learning rate is learning_rate=0.1",
    "lr": "the learning rate is learning_rate=0.1",
    "learning_rate_init": "the learning rate is learning_rate=0.1",
    "power_t": "write schedule=schedules.InverseTime(decay=1.0)",
    "penalty": "the penalty is a ridge of strength alpha; l1_ratio=1 is L1, and alpha=0 is none",
    "C": "the strength of the penalty is alpha; C of LogisticRegression is "
    "alpha=1 / (C * n_samples) with scale_penalty=False",
    "n_jobs": "a fit of long passes uses the threads that BLAS may use, and GDGridSearchCV has "
    "n_jobs",
    "solver": "the solver is optimizer, such as optimizer='lbfgs' or optimizer='adam'",
    "momentum": "write optimizer=optimizers.Momentum(momentum=0.9)",
    "nesterovs_momentum": "write optimizer='nesterov'",
    "beta_1": "write optimizer=optimizers.Adam(beta_1=0.9)",
    "beta_2": "write optimizer=optimizers.Adam(beta_2=0.999)",
    "epsilon": "write loss=losses.Huber(epsilon=1.35), or optimizer=optimizers.Adam(epsilon=1e-8)",
    "weight_decay": "a ridge penalty is alpha; for decoupled decay write "
    "optimizer=optimizers.AdamW(weight_decay=0.01)",
    "n_iter": "the number of epochs is max_iter",
    "epochs": "the number of epochs is max_iter",
    "n_epochs": "the number of epochs is max_iter",
    "multi_class": "with more than two classes log_loss is the multinomial loss",
    "dual": "there is no dual form",
    "warm_up": "write schedule='warmup'",
}

# Parameters that belong to the estimator, and not to its optimizer.
OF_OPTIMIZERS = {
    **dict.fromkeys(
        ("lr", "learning_rate", "eta0"),
        "the learning rate is a parameter of the estimator: "
        "GDClassifier(optimizers.Adam(), learning_rate=0.1)",
    ),
    "betas": "write beta_1=0.9, beta_2=0.999",
    "eps": "write epsilon=1e-8",
    "nesterov": "write optimizers.Nesterov()",
    "alpha": "the penalty is a parameter of the estimator: GDClassifier(alpha=0.01)",
    "amsgrad": "write optimizers.AMSGrad()",
}

# Values of `learning_rate` of SGDClassifier, and what is closest to them.
SCHEDULES = {
    "optimal": "'inverse_time' falls like it",
    "invscaling": "'inverse_time' falls like it",
    "adaptive": "'plateau' lowers the rate when the loss does not improve",
    "pa1": "there are no passive-aggressive steps",
    "pa2": "there are no passive-aggressive steps",
}


def check_words(cls, given, words):
    """Raise a TypeError that says what to write if `given` has a word that `cls` has not.

    Other unknown names are left to Python, whose message names them.
    """
    for name in given:
        # The signature is read only where a word is suspicious, since that takes a while.
        if name in words and name not in cls._get_param_names():
            raise TypeError(f"{cls.__name__} has no parameter {name!r}: {words[name]}.")
