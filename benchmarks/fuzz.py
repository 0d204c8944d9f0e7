"""Checks the properties of the fuzzing tests on many random fits: ``python benchmarks/fuzz.py``.

The properties and the cases are those of ``tests/helpers/fuzz_properties.py``. Needs
``pip install -e ".[test]"``. A run consists of rounds. A round checks one property on some hundred
cases, which follow from the seed of the run and the number of the round. If a case fails,
Hypothesis looks for the simplest one that fails in the same way, and the round ends. A file keeps
what has been done, so that a run which was interrupted can be continued::

    python benchmarks/fuzz.py --state fuzz.json --fits 1000000 --processes 2
    python benchmarks/fuzz.py --state fuzz.json --record
    python benchmarks/fuzz.py --again "sound(Case(kind='regressor', ...))"

The first line runs until so many fits are done, the second writes the table of the documentation,
and the third repeats a case that a run has printed.
"""

import json
import multiprocessing
import os
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

from record import parser, record

TESTS = Path(__file__).parents[1] / "tests"
sys.path.insert(0, str(TESTS))

import hypothesis  # noqa: E402
from hypothesis import HealthCheck, Phase  # noqa: E402

from helpers import fuzz_cases, fuzz_properties  # noqa: E402
from helpers.fuzz_properties import PROPERTIES, tally  # noqa: E402

CASES = 300
TEXT = (
    "Random fits: every optimizer, loss, schedule and kind of coordinates, on small data with "
    "whatever goes wrong in data, in all containers and types. "
    "``tests/helpers/fuzz_properties.py`` has the properties. A refused fit is an error that names "
    "a parameter or the data. The seed was {seed}."
)


def settings(cases):
    """How Hypothesis looks for failures; nothing depends on what earlier runs have found."""
    return hypothesis.settings(
        max_examples=cases,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )


def play(job):
    """A round: the property, counts of what was done, and the finds as texts."""
    seed, number, cases = job
    name = list(PROPERTIES)[number % len(PROPERTIES)]
    check, strategy = PROPERTIES[name]
    last, finds = [], []

    @settings(cases)
    @hypothesis.seed(seed * 1_000_003 + number)
    @hypothesis.given(strategy)
    def search(case):
        last[:] = [case]
        check(case)

    tally.clear()
    begin = time.perf_counter()
    try:
        search()
    except Exception as error:
        # Hypothesis runs the simplest case last.
        place = traceback.extract_tb(error.__traceback__)[-1]
        text = f"{type(error).__name__}: {error}".strip()[:2000]
        finds = [f"{name}({last[0]!r})\n{place.filename}:{place.lineno}: {text}"]
    return number, name, dict(tally) | {"seconds": time.perf_counter() - begin}, finds


def load(path, seed):
    """What has been done so far."""
    if path.exists():
        return json.loads(path.read_text(encoding="utf-8"))
    return {"seed": seed, "done": [], "next": 0, "counts": {}, "finds": []}


def save(path, state):
    """Write the state beside the file, then rename it: an interrupted write loses nothing."""
    beside = path.with_name(path.name + ".new")
    beside.write_text(json.dumps(state, indent=1), encoding="utf-8")
    os.replace(beside, path)


def fits(state):
    """The number of fits so far."""
    return sum(counts.get("fits", 0) for counts in state["counts"].values())


def rounds(state, wanted, cases):
    """The rounds to come, until enough fits are done."""
    number = state["next"]
    while fits(state) < wanted:
        if number not in state["done"]:
            yield state["seed"], number, cases
        number += 1


def note(state, number, name, counts, finds):
    """Add a round to the state. Rounds may end in any order."""
    total = Counter(state["counts"].get(name, {}))
    total.update(counts)
    state["counts"][name] = dict(total)
    state["finds"] += finds
    state["done"].append(number)
    while state["next"] in state["done"]:
        state["done"].remove(state["next"])
        state["next"] += 1


def run(path, state, wanted, cases, processes):
    """Play rounds until enough fits are done, and print what is found."""
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        waiting = []
        for job in rounds(state, wanted, cases):
            waiting.append(pool.apply_async(play, (job,)))
            while len(waiting) > 2 * processes:
                number, name, counts, finds = waiting.pop(0).get()
                note(state, number, name, counts, finds)
                save(path, state)
                print(f"round {number}, {name}: {fits(state):,} fits", *finds, sep="\n", flush=True)
        for each in waiting:
            note(state, *each.get())
        save(path, state)


def write_record(state):
    """The table of the documentation."""
    rows, total = [], Counter()
    for name, (check, _) in PROPERTIES.items():
        counts = Counter(state["counts"].get(name, {}))
        counts["finds"] = sum(find.startswith(f"{name}(") for find in state["finds"])
        total.update(counts)
        rows.append([check.__doc__.splitlines()[0].rstrip("."), *cells(counts)])
    rows.append(["**all**", *cells(total)])
    head = ["property", "fits", "refused", "with a warning", "finds"]
    record("fuzz", "Random fits", TEXT.format(seed=state["seed"]), head, rows)


def cells(counts):
    """The columns of the table."""
    return [f"{counts[name]:,}" for name in ("fits", "errors", "warnings", "finds")]


def main():
    """Read the arguments."""
    arguments = parser(__doc__)
    arguments.add_argument("--state", type=Path, default=Path("fuzz.json"))
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--fits", type=int, default=1_000_000)
    arguments.add_argument("--cases", type=int, default=CASES, help="in a round")
    arguments.add_argument("--processes", type=int, default=1)
    arguments.add_argument("--record", action="store_true")
    arguments.add_argument("--again", metavar="CASE")
    given = arguments.parse_args()
    if given.again:
        eval(given.again, vars(fuzz_cases) | vars(fuzz_properties))
        return
    state = load(given.state, given.seed)
    if given.record:
        write_record(state)
        return
    run(given.state, state, given.fits, given.cases, given.processes)
    print(f"{fits(state):,} fits, {len(state['finds'])} finds")
    sys.exit(bool(state["finds"]))


if __name__ == "__main__":
    main()
