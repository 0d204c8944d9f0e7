# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, freethreading_compatible=True
"""What an optimizer's rule may ask of the function it minimises."""

import cython


@cython.cclass
class Objective:
    """A function of one flat vector, in the coordinates the rule works in.

    Before a rule advances, `g` holds the gradient at the point the rule's
    `probe` named; most rules need nothing else. A rule that does asks for it,
    of the same mini-batch or of all the data. An L1 penalty that is left to a
    proximal step is in neither value nor gradient.

    Attributes
    ----------
    g : ndarray
        The gradient at the point that the rule named.
    f : float
        The value there, if it was a by-product of the gradient; a rule asks `here`.
    asked : int
        How often value or gradient were asked for.
    """

    def here(self):
        """Value at the point that the rule named."""
        return self.f

    def value(self, w):
        """Value at `w`."""
        raise NotImplementedError

    def gradient(self, w, out):
        """Write the gradient at `w` into `out` and return the value there."""
        raise NotImplementedError

    def full_gradient(self, w, out):
        """The same for all the data."""
        raise NotImplementedError

    def prox(self, w, step):
        """Take the proximal step of the penalty, of size `step` in all coordinates, in place."""
        return 0

    def steps(self):
        """Steps in an epoch."""
        return 1

    def begins_epoch(self):
        """Whether this step is the first of an epoch."""
        return True

    def begins_data(self):
        """Whether the data may be others than those of the step before."""
        return False
