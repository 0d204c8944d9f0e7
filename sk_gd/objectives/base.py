# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""Objective: what an optimizer's rule may ask about the function that it minimises."""

import cython


@cython.cclass
class Objective:
    """A function of one flat vector, in the coordinates of the rule.

    Before a step `g` holds the gradient at the point that the rule's `probe` has written. Most
    rules need nothing else. The others call the methods, for the same mini-batch or for all the
    data. A part of the penalty that is left to a proximal step is in neither value nor gradient.

    Attributes
    ----------
    g : ndarray
        The gradient at the point of the rule.
    f : float
        The value there, if it came with the gradient; a rule calls `here`.
    asked : int
        How often a value or a gradient was asked for.
    """

    def here(self):
        """The value at the point of the rule, which must ask before it changes its weights."""
        return self.f

    def value(self, w):
        """The value at `w`."""
        raise NotImplementedError

    def gradient(self, w, out):
        """Write the gradient at `w` into `out` and return the value there."""
        raise NotImplementedError

    def full_gradient(self, w, out):
        """`gradient` for all the data."""
        raise NotImplementedError

    def prox(self, w, step):
        """Take the proximal step of the penalty, of size `step` in all coordinates, in place."""
        return 0

    def steps(self):
        """The number of steps in an epoch."""
        return 1

    def begins_epoch(self):
        """Whether this step is the first of an epoch."""
        return True

    def begins_data(self):
        """Whether the data may differ from those of the last step."""
        return False
