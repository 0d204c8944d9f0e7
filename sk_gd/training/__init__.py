"""Training: the loop over epochs and batches, and the runs that it trains."""

# Not public, but files of skops name it by this address.
from .run import Run as Run
