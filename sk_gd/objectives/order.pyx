# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""The order in which an epoch reads the rows."""

import numpy as np

from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.stdint cimport uint32_t, uint64_t

from sk_gd.objectives.prefetch cimport SK_GD_PREFETCH

cdef extern from *:
    """
    /* The documented interface of numpy's bit generators. */
    typedef struct {
        void *state;
        uint64_t (*next_uint64)(void *);
        uint32_t (*next_uint32)(void *);
        double (*next_double)(void *);
        uint64_t (*next_raw)(void *);
    } sk_gd_bitgen;
    """
    ctypedef struct sk_gd_bitgen:
        void *state
        uint32_t (*next_uint32)(void *) noexcept nogil


# So many parts of a group, each of a few runs, are read side by side. If they were read one after
# the other, an epoch would take a tenth longer. Processors can follow more streams of addresses
# than that.
cdef enum:
    STREAMS = 16

# A run of a subset is prefetched so many runs before its use.
cdef enum:
    RUNS_AHEAD = 32


cdef bint are_rows(const Py_ssize_t *order, Py_ssize_t n, Py_ssize_t n_rows) noexcept nogil:
    """Whether all `n` numbers are those of rows, from 0 to `n_rows` - 1."""
    cdef Py_ssize_t i
    cdef bint outside = False
    # No branch, so that the compiler can use vector instructions.
    for i in range(n):
        outside |= <size_t> order[i] >= <size_t> n_rows
    return not outside


cdef void permute(Py_ssize_t[::1] items, sk_gd_bitgen *bits) noexcept nogil:
    """Shuffle `items` in place.

    This is the algorithm of Fisher and Yates. ``Generator.shuffle`` would take a tenth of an
    epoch. Here a random 32-bit fraction is multiplied by the number of places, which takes a
    third of that (Lemire, 2019). The bias, n / 2³², is too small to show in an epoch.
    """
    cdef Py_ssize_t i, j, kept
    for i in range(items.shape[0] - 1, 0, -1):
        j = (<uint64_t> bits.next_uint32(bits.state) * <uint64_t> (i + 1)) >> 32
        kept = items[i]
        items[i] = items[j]
        items[j] = kept


cdef class Order:
    """The order in which the epochs read the rows: all of them shuffled, or in two levels.

    In two levels, runs of adjacent rows are read in random order, group after group, and the rows
    of a group are shuffled (CorgiPile: Xu et al., SIGMOD 2022). A group is small enough for the
    cache, so that only runs are fetched from memory, and not single rows.

    Parameters
    ----------
    subset : ndarray of intp or None
        The rows; None for 0, 1, 2 …
    n : int
        How many there are.
    run : int
        Adjacent rows that stay in one group; 1 to shuffle all rows.
    group : int
        Rows of a group; 0 without runs.

    Attributes
    ----------
    n, run, group : int
        The same.
    """

    def __init__(self, subset, n, run=1, group=0):
        if n < 1 or run < 1 or group < 0 or (subset is not None and len(subset) != n):
            raise ValueError(f"There is no order of {n} rows in runs of {run}, groups of {group}.")
        self.subset = subset
        self.n = n
        self.run = run
        self.group = group
        self.rows = None
        if group > 0:
            self.place = np.arange(group, dtype=np.intp)
            self.streams = np.arange(group, dtype=np.intp)

    def shuffle(self, bit_generator):
        """The rows in the order of a new epoch, by a bit generator of numpy."""
        cdef sk_gd_bitgen *bits = <sk_gd_bitgen *> PyCapsule_GetPointer(
            bit_generator.capsule, "BitGenerator"
        )
        cdef Py_ssize_t[::1] runs
        cdef Py_ssize_t i
        if self.rows is None:
            self.array = np.empty(self.n, dtype=np.intp)
            self.rows = self.array
        if self.group > 0:
            runs = np.empty((self.n + self.run - 1) // self.run, dtype=np.intp)
        # Every epoch begins with the same order: the state of the generator alone decides.
        with bit_generator.lock, nogil:
            if self.group == 0:
                for i in range(self.n):
                    self.rows[i] = i if self.subset is None else self.subset[i]
                permute(self.rows, bits)
            else:
                for i in range(runs.shape[0]):
                    runs[i] = i
                for i in range(self.group):
                    self.place[i] = i
                permute(runs, bits)
                permute(self.place, bits)
                self.deal(runs)
                self.split()
        return self.array

    cdef void deal(self, const Py_ssize_t[::1] runs) noexcept nogil:
        """Assign the rows, run after run, to the places of the groups.

        The places are in the same random order in every group. The last group has fewer.
        """
        cdef Py_ssize_t s = 0, begin = 0, i, m, k, row, end, ahead, n_runs = runs.shape[0]
        # Copies, since the compiler has to expect that writing a row changes what `self` has.
        cdef Py_ssize_t n = self.n, group = self.group
        cdef const Py_ssize_t *place = &self.place[0]
        cdef const Py_ssize_t *subset = NULL
        if self.subset is not None:
            subset = &self.subset[0]
        cdef Py_ssize_t *rows = &self.rows[0]
        for k in range(n_runs):
            row = runs[k] * self.run
            end = min(row + self.run, n)
            # Where rows of the next group go, and the first and the last row of a run to come.
            SK_GD_PREFETCH(rows + begin + group + s)
            SK_GD_PREFETCH(rows + begin + group + s + self.run - 1)
            if subset != NULL:
                ahead = runs[min(k + RUNS_AHEAD, n_runs - 1)] * self.run
                SK_GD_PREFETCH(subset + ahead)
                SK_GD_PREFETCH(subset + min(ahead + self.run, n) - 1)
            while row < end:
                # As many rows of the run as there are places in this group.
                m = min(end - row, group - s)
                if begin + group <= n:
                    for i in range(m):
                        rows[begin + place[s + i]] = row + i if subset == NULL else subset[row + i]
                    row += m
                else:
                    for i in range(m):
                        if begin + place[s + i] < n:
                            rows[begin + place[s + i]] = row if subset == NULL else subset[row]
                            row += 1
                s += m
                if s == group:
                    s = 0
                    begin += group

    cdef void split(self) noexcept nogil:
        """List the places in `streams` as a group is read: the next row of each part in turn."""
        cdef Py_ssize_t s, k, i = 0, length = STREAMS * self.run
        # The rows of a part, which has whole runs.
        length = (self.group + length - 1) // length * self.run
        for s in range(length):
            for k in range(STREAMS):
                if s + k * length < self.group:
                    self.streams[i] = self.place[s + k * length]
                    i += 1
