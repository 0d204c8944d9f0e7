"""The version of this package, and the error for what another one has stored."""

import sys


def this_version():
    """The version of this package, which is not known yet when this module is imported."""
    return sys.modules["sk_gd"].__version__


def not_loadable(version, reason):
    """The error for a stored model that this version cannot load; `version` has stored it."""
    return ValueError(
        f"This model cannot be loaded. It was stored by {version} of sk_gd and this is "
        f"version {this_version()}, or its file is damaged: {reason} Fit the model again, or "
        "load it with the version that stored it."
    )
