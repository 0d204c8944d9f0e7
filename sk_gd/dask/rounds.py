"""Rounds that several fits share: each asks as if it were alone, and all are answered at once."""

import functools
import operator
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import NamedTuple

import numpy as np

from ..search.sharing import AnotherWorkerFailed
from .cluster import PerPart
from .partition import evaluate


class Fits(list):
    """What a partition is to each of the fits, which share its X."""

    @property
    def X(self):
        """The rows, by which Dask knows how large this is."""
        return next((each.X for each in self if hasattr(each, "X")), None)


class Asked(NamedTuple):
    """What a fit asks of the partitions.

    Attributes
    ----------
    number : int
        Which of the fits that run asks.
    parts : Partitions
        Of `Fits`.
    place : int
        The position of the fit in the `Fits`.
    function, arguments : callable, tuple
        As in `Partitions.ask`.
    places : list of int
        The partitions that are asked.
    merge : callable or None
        How two answers are merged; None if the answers stay where they are, as new partitions.
    size : int
        Bytes of an answer, about.
    answer : Future
        The answer, once there is one.
    """

    number: int
    parts: object
    place: int
    function: object
    arguments: tuple
    places: list
    merge: object
    size: int
    answer: Future

    def of_partition(self, k):
        """What a worker must know to answer for a partition."""
        arguments = [each[k] if isinstance(each, PerPart) else each for each in self.arguments]
        return self.place, self.function, arguments


# What a worker does. An error is the answer to one of the fits, and does not disturb the others.


def answer_fits(fits, questions):
    """The answers of a partition, by the number of the question."""
    found, evaluations = {}, {}
    for i, (place, function, arguments) in questions.items():
        if function is evaluate:
            # In the same coordinates all points are lanes of one objective.
            alike = evaluations.setdefault((place, arguments[1].name), {})
            alike[i] = arguments
        else:
            found[i] = _answer(fits[place], function, arguments)
    for (place, _), alike in evaluations.items():
        answers = _answer(fits[place], _evaluate_together, [list(alike.values())])
        if isinstance(answers, Exception):
            answers = [answers] * len(alike)
        found |= dict(zip(alike, answers, strict=True))
    return found


def _evaluate_together(part, questions):
    """What `evaluate` gives for each question, from one pass over the rows."""
    *given, points, wants_gradients = zip(*questions, strict=True)
    shared = [each[0] for each in given]
    sums = evaluate(part, *shared, np.concatenate(points), any(wants_gradients))
    ends = np.cumsum([len(each) for each in points])
    # The losses come first, and they are all that some ask for.
    return [
        mine if wanted else mine[:, :2]
        for mine, wanted in zip(np.split(sums, ends[:-1]), wants_gradients, strict=True)
    ]


def derive_fits(fits, questions):
    """What a partition becomes for each of the fits that ask."""
    return Fits(_answer(fits[place], *question) for place, *question in questions)


def _answer(part, function, arguments):
    try:
        return part if isinstance(part, Exception) else function(part, *arguments)
    except Exception as error:
        return error


def merge_fits(merges, one, other):
    """Answers of `answer_fits`, merged question by question."""
    merged = one | other
    with np.errstate(over="ignore", invalid="ignore"):  # of a fit that is about to diverge
        for i in one.keys() & other.keys():
            wrong = [each for each in (one[i], other[i]) if isinstance(each, Exception)]
            merged[i] = wrong[0] if wrong else merges[i](one[i], other[i])
    return merged


def keyed(part, k, function, *arguments):
    """The answer of the k-th partition, by its place."""
    return {k: function(part, *arguments)}


class SharedRounds:
    """Runs fits in threads. When all that still run have a question, one round answers them.

    Attributes
    ----------
    n_rounds : int
        How many rounds there were.
    """

    def __init__(self):
        self.n_rounds = 0
        self._inbox = SimpleQueue()
        self._thread = threading.local()
        self._derived = []

    def run(self, works):
        """Run functions without arguments side by side; what they return."""
        running, done, waiting = [], 0, []
        with ThreadPoolExecutor(max(1, len(works))) as pool:
            try:
                for number, work in enumerate(works):
                    running.append(pool.submit(self._work, number, work))
                while done < len(running):
                    found = self._inbox.get()
                    if found is None:
                        done += 1
                    else:
                        waiting.append(found)
                    if waiting and len(waiting) == len(running) - done:
                        self._answer_all(waiting)
                        waiting = []
            except BaseException:
                self._stop(waiting, len(running) - done)
                raise
        return [each.result() for each in running]

    def _work(self, number, work):
        self._thread.number = number
        try:
            return work()
        finally:
            self._inbox.put(None)

    def ask(self, *question):
        """The answer to a question, from the next round. Called by the fits, in their threads."""
        asked = Asked(self._thread.number, *question, answer=Future())
        self._inbox.put(asked)
        return asked.answer.result()

    def _answer_all(self, waiting):
        alike = {}
        # In this order, whichever thread was the first.
        for asked in sorted(waiting, key=lambda asked: asked.number):
            alike.setdefault((id(asked.parts), asked.merge is None), []).append(asked)
        answers = []
        for (_, derives), questions in alike.items():
            answer = self._derive if derives else self._round
            answers += zip(questions, answer(questions), strict=True)
        for asked, answer in answers:
            asked.answer.set_result(answer)

    def _round(self, questions):
        """The answers to several questions."""
        self.n_rounds += 1
        parts = questions[0].parts
        by_part = PerPart({} for _ in range(len(parts)))
        for i, asked in enumerate(questions):
            for k in asked.places:
                by_part[k][i] = asked.of_partition(k)
        merge = functools.partial(merge_fits, [asked.merge for asked in questions])
        places = [k for k, given in enumerate(by_part) if given]
        size = sum(asked.size for asked in questions)
        answers = parts.merged(answer_fits, merge, by_part, places=places, size=size)
        return [answers[i] for i in range(len(questions))]

    def _derive(self, questions):
        """New partitions for each of the fits, made in one task."""
        parts = questions[0].parts
        asked = PerPart([each.of_partition(k) for each in questions] for k in range(len(parts)))
        parts = parts.then(derive_fits, asked)
        self._derived.append(parts)
        return [FitParts(self, parts, place) for place in range(len(questions))]

    def close(self):
        """Let the workers forget what they hold for the fits."""
        for parts in self._derived:
            parts.close()

    def _stop(self, waiting, live):
        """End the threads that are still running."""
        for asked in waiting:
            asked.answer.set_exception(AnotherWorkerFailed())
        while live:
            asked = self._inbox.get()
            if asked is None:
                live -= 1
            else:
                asked.answer.set_exception(AnotherWorkerFailed())


class FitParts:
    """The partitions as one of several fits sees them: see `Partitions`.

    Parameters
    ----------
    rounds : SharedRounds
        Answers the questions.
    parts : Partitions
        Of `Fits`.
    place : int
        The position of this fit in them.
    """

    def __init__(self, rounds, parts, place):
        self._rounds = rounds
        self._parts = parts
        self._place = place

    def ask(self, function, *arguments, places=None):
        """`function(part, *arguments)` of the partitions, in their order."""
        places = range(len(self._parts)) if places is None else places
        numbers = PerPart(range(len(self._parts)))
        found = self.merged(keyed, operator.or_, numbers, function, *arguments, places=places)
        return [found[k] for k in places]

    def merged(self, function, merge, *arguments, places=None, size=0):
        """The answers of the partitions, merged pair by pair in their order."""
        places = range(len(self._parts)) if places is None else places
        answer = self._rounds.ask(
            self._parts, self._place, function, arguments, places, merge, size
        )
        if isinstance(answer, Exception):
            raise answer
        return answer

    def then(self, function, *arguments):
        """New partitions: `function(part, *arguments)` of each of these."""
        return self._rounds.ask(self._parts, self._place, function, arguments, [], None, 0)

    def close(self):
        """Nothing: the other fits may still need the partitions."""
