"""How the benchmarks take times: calls in turns, medians, and units that other machines share.

Machines differ in the speed of their memory by a factor of three. A time therefore stands beside
the time of one read of the data in the same run, and beside that of ``take`` with the rows in
random order, which is what a shuffled epoch costs if rows are fetched one by one.
"""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import scipy.sparse as sp

TURNS = 5


def seconds(call, clock=time.perf_counter):
    """Duration of one call."""
    begin = clock()
    call()
    return clock() - begin


def medians(calls, turns=TURNS, clock=time.perf_counter):
    """Median seconds of each of the `calls`, which take turns.

    Whatever disturbs the machine for a while then disturbs all of them.
    """
    taken = [[seconds(call, clock) for call in calls] for _ in range(turns)]
    return np.median(taken, axis=0)


def epochs(makers, X, y, more=6, turns=TURNS):
    """Median seconds of one epoch for every maker (a function of max_iter).

    An epoch is the difference of two fits, so that validation and set-up do not count.
    """
    fits = [lambda make=make, n=n: make(n).fit(X, y) for make in makers for n in (1, 1 + more)]
    taken = medians(fits, turns)
    return (taken[1::2] - taken[::2]) / more


def read(X, turns=TURNS):
    """Seconds of one read of X in order; of the values and the indices if X is sparse."""
    if sp.issparse(X):
        return medians([lambda: (X.data.sum(), X.indices.sum())], turns)[0]
    return medians([X.sum], turns)[0]


def read_by_two(X, turns=TURNS):
    """Seconds of one read of X by two threads, each of a half."""
    with ThreadPoolExecutor(2) as threads:
        return medians([lambda: list(threads.map(np.sum, np.array_split(X, 2)))], turns)[0]


def take(X, rng, turns=3):
    """Seconds that numpy needs to copy the rows of X in random order."""
    order = rng.permutation(len(X))
    return medians([lambda: X.take(order, axis=0, mode="clip")], turns)[0]
