"""Training: the loop over epochs and batches, and the runs that it trains."""

from .run import Run

__all__ = ["Run"]
