"""What several test modules share. No test module imports another test module.

- `assertions`: what two models, or one model at two times, must have in common
- `project`: files and scripts of this project
- `callbacks`: a callback that does nothing
- `data`: small problems, and settings that train to the end
- `functions`: functions with known minima, and one that counts its calls
- `fuzz_cases`, `fuzz_properties`: random data and settings, and what holds for all of them
- `interop`: what the tests of other people's tools have in common
- `naive`: the objective as its definition reads
- `optimizers`: names of optimizers by what they need, users' optimizers, single rules
- `records`: steps and values that others have published or recorded
- `runs`: all uses of private names of sk_gd, such as training runs without an estimator
- `schedules`: schedules to test with, and their multipliers during training
- `searches`: a search of this package against scikit-learn's
- `sklearn_adapters`, `sklearn_suites`: scikit-learn's own tests with our estimators
- `uncompiled`: the sources of the formulas, run by Python itself
"""
