"""The partitions on the workers, and rounds: a question to all of them, answered in their order."""

import contextlib
import copy
import itertools
import math
import pickle
import uuid

import cloudpickle
import dask
import dask.array as da
import numpy as np
from dask.sizeof import sizeof
from distributed import Client, Future, default_client, wait

from ..threads import one_blas_thread

# The share of the workers' memory that partitions may take if they are kept.
SHARE_OF_MEMORY = 0.4

# Bytes of all answers together beyond which they are merged on the workers.
MANY_BYTES = 1 << 26


def client_of(given):
    """The client that was given, else the current one."""
    if given is not None:
        if not isinstance(given, Client):
            raise TypeError(
                f"client must be a distributed.Client or None. Got {type(given).__name__} instead."
            )
        client = given
    else:
        try:
            client = default_client()
        except ValueError as error:
            raise ValueError(
                "client=None is the current client, and there is none. Start one, such as "
                "client = distributed.Client(), or give it as client."
            ) from error
    if client.asynchronous:
        raise ValueError("client must be synchronous. Got an asynchronous client instead.")
    if client.status != "running":
        raise ValueError(
            f"client must be connected. Got a client that is {client.status} instead; start "
            "another."
        )
    return client


def workers_of(client):
    """What the scheduler knows of each worker, by its address."""
    return client.scheduler_info(n_workers=-1)["workers"]


def keeps(persist, client, size):
    """Whether partitions of `size` bytes together (None: not known) are kept on the workers."""
    if persist != "auto":
        return bool(persist)
    limits = [worker["memory_limit"] for worker in workers_of(client).values()]
    if size is None or math.isnan(size) or not all(limits):
        return True
    return size < SHARE_OF_MEMORY * sum(limits)


class PerPart(list):
    """An argument that has a value for each of the partitions."""


class Pickled:
    """An object as bytes, which the task that needs it unpacks.

    If Dask unpacked it, a worker that cannot import a class would lose its connection, again and
    again. In a task this is an ordinary error.
    """

    def __init__(self, content):
        try:
            self._bytes = cloudpickle.dumps(content)
        except Exception as error:
            raise TypeError(
                f"A loss or an optimizer of your own must be picklable, to be sent to the workers: "
                f"{error}"
            ) from error

    def unpack(self):
        """The object."""
        try:
            return pickle.loads(self._bytes)
        except Exception as error:
            raise RuntimeError(
                f"The workers do not know a class of yours: {error}. They must be able to import "
                'its module, which client.upload_file("module.py") sends them.'
            ) from error


class Question(Pickled):
    """A function, and its arguments for each of some partitions.

    Parameters
    ----------
    function : callable
        What is asked: ``function(part, *arguments)``.
    arguments : tuple
        The same for all partitions, or `PerPart`.
    places : list of int
        The partitions.
    """

    def __init__(self, function, arguments, places):
        self.is_empty = not len(places)
        arguments = [
            PerPart(each[k] for k in places) if isinstance(each, PerPart) else each
            for each in arguments
        ]
        super().__init__((function, arguments, places))

    def answers(self, parts):
        """The answer of each of the partitions; `parts` has them by their places."""
        function, arguments, places = self.unpack()
        columns = [
            each if isinstance(each, PerPart) else itertools.repeat(each, len(places))
            for each in arguments
        ]
        with one_blas_thread:
            return {
                k: function(parts[k], *given) for k, *given in zip(places, *columns, strict=True)
            }

    def answer(self, parts):
        """The answer of a single partition."""
        (found,) = self.answers(parts).values()
        return found


class Held(dict):
    """Partitions that a worker keeps, by their places."""


@sizeof.register(Held)
def bytes_of_held(held):
    """The bytes of the rows, by which Dask decides what is cheap to move."""
    rows = (getattr(part, "given", part) for part in held.values())
    return sum(sizeof(getattr(each, "X", None)) for each in rows)


# What the tasks do.


def make_part(packed, index, **columns):
    """A partition, from what a worker reads."""
    function, plain = packed.unpack()
    return function(plain, index, **columns)


def hold(places, parts):
    """Partitions on the same worker, as one object."""
    return Held(zip(places, parts, strict=True))


def answer(question, parts):
    """The answers of partitions, as bytes: Dask would send every small array by itself."""
    return pickle.dumps(question.answers(parts), protocol=5)


def derive(question, parts):
    """New partitions, made of others."""
    return Held(question.answers(parts))


def answer_one(question, parts):
    """The answer of one partition, to be merged with others."""
    return question.answer(parts)


def merge_in_pairs(merge, answers):
    """Answers merged pair by pair, and the pairs in the same way.

    The order of the answers alone decides the rounding. `merge` may itself be a task.
    """
    while len(answers) > 1:
        pairs = zip(answers[::2], answers[1::2], strict=False)
        last = answers[-1:] if len(answers) % 2 else []
        answers = [merge(*pair) for pair in pairs] + last
    return answers[0]


class Partitions:
    """Partitions, each the result of a task, kept on the workers or made again every round.

    Those that are kept are in groups: one for each thread of the workers that hold them. A round
    has a task for each group, however many partitions there are. What a dead worker held, Dask
    makes again.

    Parameters
    ----------
    client : distributed.Client
        Knows the workers.
    parts : list of Delayed
        The partitions.
    keep : bool
        Whether they stay in the memory of the workers.
    """

    def __init__(self, client, parts, keep):
        self.client = client
        self.keep = keep
        if keep:
            self.groups, self.held = self._grouped(parts)
        else:
            self.groups = [[k] for k in range(len(parts))]
            self.held = [{k: part} for k, part in enumerate(parts)]

    @classmethod
    def of(cls, client, function, plain, columns, keep):
        """Partitions of ``function(plain, index, X=X, y=y, ...)``, from delayed columns."""
        plain = dask.delayed(Pickled((function, plain)), name=key_of("parameters"), traverse=False)
        make = _named(make_part, function)
        parts = [make(plain, index, **row) for index, row in enumerate(columns)]
        return cls(client, parts, keep)

    def __len__(self):
        return sum(len(group) for group in self.groups)

    def then(self, function, *arguments):
        """New partitions: `function(part, *arguments)` of each of these."""
        new = copy.copy(self)
        questions = [Question(function, arguments, group) for group in self.groups]
        if self.keep:
            keys = _keys(function, len(questions))
            with self._cancelled_unless_done(keys):
                new.held = self._submit(derive, questions, keys)
        else:
            make = _named(answer_one, function)
            new.held = [
                {k: make(question, parts)}
                for (k,), question, parts in zip(self.groups, questions, self.held, strict=True)
            ]
        return new

    def ask(self, function, *arguments, places=None):
        """`function(part, *arguments)` of the partitions, in their order.

        `places` are the partitions that are asked; None for all. An argument that is a `PerPart`
        has a value for each of the partitions.
        """
        places = range(len(self)) if places is None else places
        asked = set(places)
        questions = [
            Question(function, arguments, [k for k in group if k in asked]) for group in self.groups
        ]
        keys, found = _keys(function, len(questions)), {}
        with self._cancelled_unless_done(keys):
            answers = self._gather(self._submit(answer, questions, keys))
        for each in answers:
            found |= pickle.loads(each)
        return [found[k] for k in places]

    def merged(self, function, merge, *arguments, places=None, size=0):
        """The answers of the partitions, merged pair by pair in their order.

        Answers of `size` bytes that are together too many for the client are merged on the way.
        The result is the same.
        """
        places = range(len(self)) if places is None else places
        if size * len(places) <= MANY_BYTES:
            return merge_in_pairs(merge, self.ask(function, *arguments, places=places))
        part_of = {
            k: held for group, held in zip(self.groups, self.held, strict=True) for k in group
        }
        ask = _named(answer_one, function)
        answers = [ask(Question(function, arguments, [k]), part_of[k]) for k in places]
        whole = merge_in_pairs(_named(merge, "merge"), answers)
        with self._cancelled_unless_done([whole.key]):
            return self._gather([self.client.compute(whole)])[0]

    def _gather(self, futures):
        """The results. They are awaited first, or Dask would log each future that is cancelled."""
        wait(futures)
        return self.client.gather(futures)

    def close(self):
        """Let the workers forget the partitions."""
        if self.keep:
            for future in self.held:
                future.release()

    def _grouped(self, parts):
        """The partitions in groups, one for each thread of the workers that hold them."""
        with self._cancelled_unless_done([part.key for part in parts]):
            futures = self.client.compute(parts)
            wait(futures)
            workers = workers_of(self.client)
            holders = self.client.who_has(futures)
            by_worker = {}
            for k, future in enumerate(futures):
                holder = min(holders.get(future.key, ()), default=None)
                by_worker.setdefault(holder, []).append(k)
            groups = []
            for worker, places in by_worker.items():
                threads = workers[worker]["nthreads"] if worker in workers else 1
                groups += [g.tolist() for g in np.array_split(places, min(threads, len(places)))]
            together = [[futures[k] for k in group] for group in groups]
            keys = _keys(hold, len(groups))
            with self._cancelled_unless_done(keys):
                return groups, self.client.map(hold, groups, together, key=keys, pure=False)

    def _submit(self, task, questions, keys):
        """The futures of ``task(question, parts)``, one for each group."""
        if self.keep:
            return self.client.map(task, questions, self.held, key=keys, pure=False)
        task = dask.delayed(task)
        tasks = [
            task(question, parts, dask_key_name=key)
            for question, parts, key in zip(questions, self.held, keys, strict=True)
            if not question.is_empty
        ]
        return self.client.compute(tasks)

    @contextlib.contextmanager
    def _cancelled_unless_done(self, keys):
        """Cancel the tasks if sending them, or waiting for them, ends by an error or by Ctrl-C.

        They are named by their keys, because Ctrl-C may come before their futures exist. And a
        traceback that is shown holds futures, whose tasks would run on.
        """
        try:
            yield
        except BaseException:
            with contextlib.suppress(Exception):
                self.client.cancel([Future(key, self.client) for key in keys], force=True)
            raise


def _keys(function, count):
    """Keys of the tasks of a round.

    For Dask they are a group of their own. It assumes that the tasks of a group that is larger than
    the cluster read data, and sends them to any worker, not to the one that has the partitions.
    """
    name = key_of(function.__name__)
    return [(name, k) for k in range(count)]


def key_of(name):
    """A key of its own for a task that has this name in Dask's dashboard.

    A hyphen in the name would not do: Dask takes some words after it for a hash.
    """
    return f"sk_gd_{name}-{uuid.uuid4().hex}"


def _named(task, what):
    """A function that makes tasks, with the name of what they do: a function, or a word."""
    make, name = dask.delayed(task), getattr(what, "__name__", what)
    return lambda *given, **more: make(*given, **more, dask_key_name=key_of(name))


def bytes_of(collection, parts):
    """Bytes of all partitions: of an array, or those of the first one times their number."""
    size = collection.nbytes if isinstance(collection, da.Array) else math.nan
    if not math.isnan(size):
        return size
    return len(parts) * int(dask.delayed(sizeof)(parts[0]["X"]).compute())
