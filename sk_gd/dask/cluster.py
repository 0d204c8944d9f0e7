"""The partitions on the workers, and rounds: a question to all of them, answered in their order."""

import contextlib
import functools
import itertools
import math

import dask
import numpy as np
from dask.sizeof import sizeof
from distributed import Client, default_client, wait

# The share of the workers' memory that partitions may take if they are kept.
ROOM = 0.4

_rounds = itertools.count()


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


def keeps(persist, client, size):
    """Whether partitions of `size` bytes together (None: not known) are kept on the workers."""
    if persist != "auto":
        return bool(persist)
    limits = [w["memory_limit"] for w in client.scheduler_info(n_workers=-1)["workers"].values()]
    if size is None or math.isnan(size) or not all(limits):
        return True
    return size < ROOM * sum(limits)


class Partitions:
    """Partitions, each the result of a task, kept on the workers or made again every round.

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
        self.parts = client.compute(parts) if keep else parts
        self._groups = None

    @classmethod
    def of(cls, client, function, plain, columns, keep):
        """Partitions of ``function(plain, index, X, y, sample_weight)``, from delayed columns."""
        plain = dask.delayed(plain, traverse=False)
        make = dask.delayed(function, name=function.__name__)
        parts = [
            make(plain, index, row["X"], row["y"], row["sample_weight"])
            for index, row in enumerate(columns)
        ]
        return cls(client, parts, keep)

    def then(self, function, *arguments):
        """New partitions: `function(part, *arguments)` of each of these."""
        name = function.__name__
        shared = [dask.delayed(each, traverse=False) for each in arguments]
        parts = [dask.delayed(function, name=name)(part, *shared) for part in self.parts]
        return Partitions(self.client, parts, self.keep)

    def ask(self, function, *arguments, places=None):
        """`function(part, *arguments)` of the partitions, in their order.

        `places` are the partitions that are asked; None for all. An argument that is a `PerPart`
        has a value for each of the partitions.
        """
        places = range(len(self.parts)) if places is None else places
        groups = self._held_together(places) if self.keep else [[k] for k in places]
        given = [
            [[each[k] if isinstance(each, PerPart) else each for each in arguments] for k in group]
            for group in groups
        ]
        answers = self._round(function, [[self.parts[k] for k in group] for group in groups], given)
        found = dict(zip(itertools.chain(*groups), itertools.chain(*answers), strict=True))
        return [found[k] for k in places]

    def _round(self, function, groups, given):
        """One task for every group; what they return."""
        key = f"sk_gd-{function.__name__.replace('_', '-')}-{next(_rounds)}-{id(self):x}"
        call = functools.partial(answers_of, function)
        if self.keep:
            keys = [f"{key}-{k}" for k in range(len(groups))]
            futures = self.client.map(call, groups, given, key=keys, pure=False)
        else:
            tasks = [
                dask.delayed(call, name=f"{key}-{k}")(group, arguments, dask_key_name=f"{key}-{k}")
                for k, (group, arguments) in enumerate(zip(groups, given, strict=True))
            ]
            futures = self.client.compute(tasks)
        try:
            return self.client.gather(futures)
        except BaseException:
            with contextlib.suppress(Exception):
                self.client.cancel(futures, force=True)
            raise

    def _held_together(self, places):
        """The partitions in groups: one for each thread of the workers that hold them."""
        workers = self.client.scheduler_info(n_workers=-1)["workers"]
        known = tuple(sorted(workers)), tuple(places)
        if self._groups is not None and self._groups[0] == known:
            return self._groups[1]
        wait(self.parts)
        held = {}
        holders = self.client.who_has(self.parts)
        for k in places:
            where = sorted(holders.get(self.parts[k].key, ()))
            held.setdefault(where[0] if where else None, []).append(k)
        groups = []
        for worker, found in held.items():
            threads = workers[worker]["nthreads"] if worker in workers else 1
            groups += [list(g) for g in np.array_split(found, min(threads, len(found)))]
        self._groups = known, groups
        return groups

    def release(self):
        """Let the workers forget the partitions."""
        if self.keep:
            self.client.cancel(self.parts, force=True)


class PerPart(list):
    """An argument that has a value for each of the partitions."""


def answers_of(function, parts, arguments):
    """What a worker does in a round: the answers of the partitions that it holds."""
    return [function(part, *given) for part, given in zip(parts, arguments, strict=True)]


def bytes_of(collection, parts):
    """Bytes of all partitions: known, or those of the first one times their number."""
    size = getattr(collection, "nbytes", None)
    if size is not None and not math.isnan(size):
        return size
    return len(parts) * int(dask.delayed(sizeof)(parts[0]["X"]).compute())
