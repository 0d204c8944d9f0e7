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
    "max_epochs": "the number of epochs is max_iter",
    "seed": "the seed is random_state",
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
    "momentum": "write optimizers.Momentum(momentum=0.9) or optimizers.Nesterov(momentum=0.9)",
    "nesterov": "write optimizers.Nesterov()",
    "weight_decay": "a ridge penalty is alpha of the estimator; for decoupled decay write "
    "optimizers.AdamW(weight_decay=0.01)",
    "alpha": "the penalty is a parameter of the estimator: GDClassifier(alpha=0.01)",
    "amsgrad": "write optimizers.AMSGrad()",
    # scipy calls the class with the arguments of `minimize`.
    "args": "as a method of scipy.optimize.minimize an optimizer is an instance, such as "
    "method=optimizers.Adam()",
}

# Names of losses in other packages, and what they are here.
LOSSES = {
    **dict.fromkeys(("mse", "MSE", "l2", "L2", "squared_loss"), "squared_error"),
    **dict.fromkeys(("mae", "MAE", "l1", "L1"), "absolute_error"),
    **dict.fromkeys(
        ("log", "logistic", "cross_entropy", "crossentropy", "bce", "softmax"), "log_loss"
    ),
    "svm": "hinge",
}

# Names of methods in other packages, and what is closest to them.
OPTIMIZERS = {
    "nag": "write 'nesterov'",
    **dict.fromkeys(("sag", "saga"), "'svrg' removes the noise of mini-batches, too"),
    **dict.fromkeys(
        ("newton", "newton-cg", "newton-cholesky"),
        "'lbfgs' learns the curvature from the gradients, and precondition='whiten' makes plain "
        "descent a method of Newton",
    ),
}

# Values of `learning_rate` of SGDClassifier, and what is closest to them.
SCHEDULES = {
    "optimal": "'inverse_time' falls like it",
    "invscaling": "'inverse_time' falls like it",
    "adaptive": "'plateau' lowers the rate when the loss does not improve",
    "pa1": "there are no passive-aggressive steps",
    "pa2": "there are no passive-aggressive steps",
}
