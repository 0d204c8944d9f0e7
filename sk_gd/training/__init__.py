"""Training: the loop over epochs and batches, and the runs that it trains."""

# Stored models of earlier versions name `Run` by this address. It refuses them with a reason.
from .run import Run as Run
