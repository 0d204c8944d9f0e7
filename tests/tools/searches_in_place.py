"""A plugin for pytest that replaces scikit-learn's searches by those of this package.

To run scikit-learn's own tests with them:
``pytest -p searches_in_place --pyargs sklearn.model_selection.tests.test_search``.
"""

import sklearn.model_selection

from sk_gd import GDGridSearchCV, GDRandomizedSearchCV

sklearn.model_selection.GridSearchCV = GDGridSearchCV
sklearn.model_selection.RandomizedSearchCV = GDRandomizedSearchCV
