"""scikit-learn: the `fit` of any estimator is a training, its `score` a test, transformers are filters.

`hooks` sees the calls and `fits` records them; `estimators` reads an estimator before its fit, `results` after it, and
`filters` the transformers whose output is trained with. `watching` is what users call.
"""
