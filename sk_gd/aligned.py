# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Arrays that begin where a cache line begins."""

import cython
import numpy as np

LINE = 64  # bytes


def aligned(values):
    """Copy numbers to an array of doubles that begins at a cache line.

    Arrays of numpy begin anywhere. Half of the vectors of four doubles are then on two lines, which
    takes longer, above all where they have just been written.
    """
    values = np.asarray(values)
    room = np.empty(values.size + LINE // 8)
    first = 0
    if cython.compiled:
        numbers: cython.double[::1] = room
        address: cython.Py_ssize_t = cython.cast(cython.Py_ssize_t, cython.address(numbers[0]))
        first = -address % LINE // 8
    found = room[first : first + values.size]
    if values.ndim > 1:
        found = found.reshape(values.shape)
    found[...] = values
    return found
