"""Batch gradient descent as in textbooks, compared with the exact solution.

Descent runs in raw coordinates, without a penalty, from zero weights: a thousand steps with the
gradient of all rows and a learning rate of 0.01.
"""

import numpy as np

from sk_gd import GDRegressor

RATE, STEPS = 0.01, 1000

x = np.arange(1.0, 6.0)
PROBLEMS = {
    "y = 3, 5, 7, 9, 11 on x1 = 1..5, x2 = 0, 1, 0, 1, 0": (
        np.column_stack([x, [0, 1, 0, 1, 0]]),
        np.array([3.0, 5.0, 7.0, 9.0, 11.0]),
    ),
    "y = 2x + 1 on x = 1..5": (x[:, np.newaxis], 2 * x + 1),
}

for title, (X, y) in PROBLEMS.items():
    model = GDRegressor(
        "sgd",
        alpha=0,
        learning_rate=RATE,
        batch_size="full",
        max_iter=STEPS,
        tol=None,
        precondition=None,
    ).fit(X, y)
    found = [model.intercept_, *model.coef_]

    columns = np.column_stack([np.ones(len(X)), X])
    exact = np.linalg.lstsq(columns, y, rcond=None)[0].round(10) + 0.0  # no minus before a zero

    print(f"{title}\n  {'':<13} {STEPS} steps           least squares")
    for j, (value, solution) in enumerate(zip(found, exact, strict=True)):
        name = f"coefficient {j}" if j else "intercept"
        print(f"  {name:<13} {float(value)!r:<20} {solution:.10f}")
    row = X[:1]
    print(f"  prediction at {tuple(row[0].tolist())}: {float(model.predict(row)[0])!r}, not {y[0]}")

    # A step multiplies the error along an eigenvector of the Hessian by 1 - rate * eigenvalue.
    flattest = np.linalg.eigvalsh(columns.T @ columns / len(X))[0]
    left = (1 - RATE * flattest) ** STEPS
    print(
        f"  Why the minimum is not reached: the flattest direction has the curvature "
        f"{flattest:.3f}.\n  A step multiplies the error along it by 1 - {RATE} * {flattest:.3f}; "
        f"after {STEPS} steps {left:.1%} of it is left.\n"
    )

print(
    "There is a flat direction because the raw columns are far from orthogonal to the constant\n"
    "column. In the default coordinates, with learning_rate='auto', the result after "
    f"{STEPS} steps is:"
)
for title, (X, y) in PROBLEMS.items():
    model = GDRegressor("sgd", alpha=0, batch_size="full", max_iter=STEPS, tol=None).fit(X, y)
    rounded = np.round([model.intercept_, *model.coef_], 10) + 0.0
    print(f"  {title}: {', '.join(f'{value:.10f}' for value in rounded)}")
