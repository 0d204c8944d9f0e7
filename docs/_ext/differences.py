"""The table of scikit-learn's tests that do not pass with the estimators of this package."""

import tomllib
from pathlib import Path

from catalogue import Table

TABLE = Path(__file__).parents[2] / "tests" / "data" / "sklearn_differences.toml"
MODULES = ("test_sgd", "test_ridge", "test_logistic", "test_coordinate_descent")


class Differences(Table):
    """``.. differences::``: for each reason the tests that fail for it."""

    def run(self):
        """The table."""
        self.env.note_dependency(TABLE)
        table = tomllib.loads(TABLE.read_text("utf-8"))
        rows = []
        for key, reason in table["reasons"].items():
            tests = []
            for module in MODULES:
                # The parameters of a test say little here.
                names = dict.fromkeys(n.partition("[")[0] for n in table[module].get(key, []))
                tests += [f"``{module}``: " + ", ".join(f"``{name}``" for name in names)] * bool(
                    names
                )
            rows.append([reason.replace("`", "``"), "\n\n".join(tests)])
        return self.table(["reason", "tests"], rows, ("catalogue",))


def setup(app):
    """Register the directive."""
    app.add_directive("differences", Differences)
    return {"parallel_read_safe": True}
