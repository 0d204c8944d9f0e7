"""Arrays that begin where a cache line begins."""

import numpy as np

LINE = 64  # bytes


def aligned(values):
    """Copy numbers to an array of doubles that begins at a cache line.

    Arrays of numpy begin anywhere. Half of the vectors of four doubles are then on two lines, which
    takes longer, above all where they have just been written.
    """
    values = np.asarray(values)
    room = np.empty(values.size + LINE // 8)
    first = -room.__array_interface__["data"][0] % LINE // 8
    found = room[first : first + values.size]
    if values.ndim > 1:
        found = found.reshape(values.shape)
    found[...] = values
    return found
