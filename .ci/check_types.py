"""Check what users write with type checkers: `python .ci/check_types.py PYTHON-WITH-THE-PACKAGE`.

README's code and the examples must have no error, and a wrong use must have one.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
# scikit-learn has no types. What pyright guesses from its source is wrong in places (load_iris
# with return_X_y=True is a pair or a Bunch), and not ours to mend.
PYRIGHT = {"useLibraryCodeForTypes": False, "reportMissingImports": "none"}
# Lists that the examples fill are not our interface. Of the examples' other packages, some
# have no types, and some are not installed.
MYPY = ["--ignore-missing-imports", "--disable-error-code=var-annotated"]
# mypy compares the one type of all values of a dict with every parameter (its issue 5382).
SPLAT = 'has incompatible type "**dict['
RIGHT = """\
from sk_gd import GDClassifier, GDRegressor
from sk_gd.optimizers import Adam

model = GDClassifier(Adam(beta_1=0.8), learning_rate=0.1, tol=None).fit([[0.0], [1.0]], [0, 1])
print(model.coef_.shape, model.n_iter_ + 1, GDRegressor(learning_rate="auto", alpha=0).alpha)
"""
WRONG = """\
from sk_gd import GDClassifier

GDClassifier(learning_rate="automatic")
GDClassifier(schedule=3)
GDClassifier(0.1)
"""
N_WRONG = 3


def run(command, folder):
    """Return what a checker prints."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode not in (0, 1):
        raise SystemExit(done.stdout + done.stderr)
    return done.stdout


def main(python):
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        readme = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S)
        (folder / "readme.py").write_text("\n".join(readme))
        (folder / "right.py").write_text(RIGHT)
        for path in ROOT.glob("examples/*.py"):
            shutil.copy(path, folder)
        names = sorted(path.name for path in folder.glob("*.py"))
        (folder / "wrong.py").write_text(WRONG)
        (folder / "pyrightconfig.json").write_text(json.dumps(PYRIGHT))
        commands = {
            "pyright": ["pyright", "--pythonpath", python, "-p", "."],
            "mypy": ["mypy", "--python-executable", python, *MYPY, *names, "wrong.py"],
        }
        for name, command in commands.items():
            text = run(command, folder)
            errors = [line for line in text.splitlines() if "error:" in line or " - error" in line]
            unexpected = [line for line in errors if "wrong.py" not in line and SPLAT not in line]
            print(f"{name}: {len(names)} files, {len(unexpected)} errors", *unexpected, sep="\n")
            wrong = {line.split(":")[1] for line in errors if "wrong.py" in line}
            if len(wrong) != N_WRONG:
                raise SystemExit(f"{name} does not know the types of sk_gd: {text}")
            if unexpected:
                raise SystemExit(1)


if __name__ == "__main__":
    main(str(Path(sys.argv[1]).absolute()))
