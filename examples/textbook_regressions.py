"""Batch gradient descent as textbooks print it, beside the exact solution.

Raw coordinates, no penalty, all weights zero at the start, a learning rate of
0.01, and a thousand steps with the gradient of all rows.
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
    exact = np.linalg.lstsq(columns, y)[0].round(10) + 0.0  # no minus before a zero

    print(f"{title}\n  {'':<13} {STEPS} steps           least squares")
    for j, (value, solution) in enumerate(zip(found, exact, strict=True)):
        name = f"coefficient {j}" if j else "intercept"
        print(f"  {name:<13} {float(value)!r:<20} {solution:.10f}")
    row = X[:1]
    print(f"  prediction at {tuple(row[0].tolist())}: {float(model.predict(row)[0])!r}, not {y[0]}")

    # Along an eigenvector of the Hessian a step leaves 1 - rate * eigenvalue of the error.
    flattest = np.linalg.eigvalsh(columns.T @ columns / len(X))[0]
    left = (1 - RATE * flattest) ** STEPS
    print(
        f"  Why not there yet: the curvature of the flattest direction is {flattest:.3f}.\n"
        f"  A step leaves 1 - {RATE} * {flattest:.3f} of the error along it; {STEPS} steps leave "
        f"{left:.1%}.\n"
    )

print(
    "The raw columns are far from orthogonal to the constant one, hence the flat direction. In\n"
    f"the default coordinates, at the rate that learning_rate='auto' finds, {STEPS} steps do:"
)
for title, (X, y) in PROBLEMS.items():
    model = GDRegressor("sgd", alpha=0, batch_size="full", max_iter=STEPS, tol=None).fit(X, y)
    found = np.round([model.intercept_, *model.coef_], 10) + 0.0
    print(f"  {title}: {', '.join(f'{value:.10f}' for value in found)}")
