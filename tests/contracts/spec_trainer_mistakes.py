"""Mistakes in the `trainer` of `rondo.yaml`, as rows like those of `spec_mistakes.MISTAKES`."""

from __future__ import annotations

LOGISTIC = "sklearn.linear_model.LogisticRegression"


def steps(*written: str) -> str:
    """Return a trainer of scikit-learn, in one line."""
    return f"trainer: {{kind: sklearn, steps: [{', '.join(written)}]}}"


def search(space: str) -> str:
    """Return a trainer with a search, in one line."""
    return f"trainer: {{search: {{space: {space}}}}}"


TRAINER = "trainer: {params: {n_estimators: 100, learning_rate: 1e-3}}"

TRAINER_MISTAKES = {
    "seed below zero": (
        "trainer: {",
        "trainer: {seed: -1, ",
        "line 7: `trainer.seed` is -1, and must be from 0 to 2147483647",
    ),
    "function without a name": (
        "trainer: {",
        "trainer: {kind: function, ",
        "line 7: `trainer.kind`: kind `function` needs `function: package.module:name`",
    ),
    "ensemble for a kind": (
        "trainer: {",
        "trainer: {kind: ensemble, ",
        (
            "line 7: `trainer.kind`: 'ensemble' is no kind: name the kind that trains, and write `ensemble: 3` beside "
            "it, which weighs the new model with the last two champions"
        ),
    ),
    "name without a function": (
        "trainer: {",
        "trainer: {function: 'a.b:c', ",
        "line 7: `trainer.function`: `function` is for kind `function`, and this is lightgbm: take one of the two out",
    ),
    "path for a function": (
        "trainer: {",
        "trainer: {kind: function, function: ../../x.py, ",
        "line 7: `trainer.function`: expected package.module:function",
    ),
    "list as a parameter": (
        "n_estimators: 100",
        "n_estimators: [1, 2]",
        (
            "line 7: `trainer.params.n_estimators`: [1, 2] can't be a parameter: "
            "give a finite number, a text, true or false"
        ),
    ),
    "unknown parameter": (
        "n_estimators: 100",
        "n_estimator: 100",
        "line 7: `trainer.params.n_estimator` is not a parameter of LightGBM: did you mean `n_estimators`?",
    ),
    "parameter with two letters swapped": (
        "learning_rate: 1e-3",
        "leaning_rate: 1e-3",
        "line 7: `trainer.params.leaning_rate` is not a parameter of LightGBM: did you mean `learning_rate`?",
    ),
    "parameter of another library": (
        "trainer: {params: {n_estimators: 100",
        "trainer: {kind: xgboost, params: {num_leaves: 31",
        "line 7: `trainer.params.num_leaves` is not a parameter of XGBoost: did you mean `max_leaves`?",
    ),
    "parameter whose text is none of its words": (
        "trainer: {params: {n_estimators: 100",
        "trainer: {kind: xgboost, params: {grow_policy: fast",
        "line 7: `trainer.params.grow_policy` is 'fast', and must be one of depthwise, lossguide",
    ),
    "parameter that the trainer sets": (
        "n_estimators: 100",
        "random_state: 3",
        "line 7: `trainer.params.random_state` is set by the trainer: write `trainer.seed`",
    ),
    "text for a parameter's number": (
        "n_estimators: 100",
        "n_estimators: many",
        "line 7: `trainer.params.n_estimators` is 'many', and must be a whole number",
    ),
    "parameter out of range": (
        "n_estimators: 100",
        "n_estimators: 0",
        "line 7: `trainer.params.n_estimators` is 0, and must be from 1 to 5000",
    ),
    "no steps": (
        TRAINER,
        "trainer: {kind: sklearn}",
        f"line 7: `trainer.kind`: kind `sklearn` needs `steps: [{{use: {LOGISTIC}}}]`",
    ),
    "steps of another kind": (
        "trainer: {params",
        f"trainer: {{steps: [{{use: {LOGISTIC}}}], params",
        "line 7: `trainer.steps`: `steps` are for kind `sklearn`, and this is lightgbm: take one of the two out",
    ),
    "parameter of no step": (
        "trainer: {params",
        f"trainer: {{kind: sklearn, steps: [{{use: {LOGISTIC}}}], params",
        "line 7: `trainer.params.n_estimators` is a parameter of no step: write it in the `params` of one",
    ),
    "step with a typo": (
        TRAINER,
        steps("{use: sklearn.linear_model.LogisticRegresion}"),
        (
            "line 7: `trainer.steps.0.use`: 'sklearn.linear_model.LogisticRegresion' can't be a step: did you mean "
            "'sklearn.linear_model.LogisticRegression'?"
        ),
    ),
    "step by its name alone": (
        TRAINER,
        steps("{use: LogisticRegression}"),
        (
            "line 7: `trainer.steps.0.use`: 'LogisticRegression' can't be a step: did you mean "
            "'sklearn.linear_model.LogisticRegression'?"
        ),
    ),
    "step of no library": (
        TRAINER,
        steps("{use: os.system}"),
        (
            "line 7: `trainer.steps.0.use`: 'os.system' can't be a step: the classes are in docs/spec.md, such as "
            "sklearn.linear_model.LogisticRegression"
        ),
    ),
    "step that is not converted": (
        TRAINER,
        steps("{use: sklearn.ensemble.HistGradientBoostingClassifier}"),
        (
            "line 7: `trainer.steps.0.use`: 'sklearn.ensemble.HistGradientBoostingClassifier' can't be converted by "
            "skl2onnx 1.20: use `kind: lightgbm` without steps, whose method is the same"
        ),
    ),
    "transformer at the end": (
        TRAINER,
        steps("{use: sklearn.preprocessing.StandardScaler}"),
        (
            "line 7: `trainer.steps.0.use`: 'sklearn.preprocessing.StandardScaler' is a transformer, and the last step "
            "predicts: add a classifier after it, such as sklearn.linear_model.LogisticRegression"
        ),
    ),
    "estimator in the middle": (
        TRAINER,
        steps(f"{{use: {LOGISTIC}}}", f"{{use: {LOGISTIC}}}"),
        (
            "line 7: `trainer.steps.0.use`: 'sklearn.linear_model.LogisticRegression' predicts, so it is the last "
            "step: leave out what follows it, or put it before"
        ),
    ),
    "regressor of labels": (
        TRAINER,
        steps("{use: sklearn.linear_model.Ridge}"),
        (
            "line 7: `trainer.steps.0.use`: 'sklearn.linear_model.Ridge' is a regressor, and this task needs a "
            "classifier: use one, such as sklearn.linear_model.LogisticRegression"
        ),
    ),
    "parameter that a step lacks": (
        TRAINER,
        steps("{use: sklearn.preprocessing.StandardScaler, params: {with_meen: true}}", f"{{use: {LOGISTIC}}}"),
        (
            "line 7: `trainer.steps.0.params.with_meen` is not a parameter of StandardScaler here: did you mean "
            "`with_mean`?"
        ),
    ),
    "parameter of a step that has none": (
        TRAINER,
        steps("{use: sklearn.preprocessing.MaxAbsScaler, params: {zzz: 1}}", f"{{use: {LOGISTIC}}}"),
        "line 7: `trainer.steps.0.params.zzz` is not a parameter of MaxAbsScaler here: it has none that can be set",
    ),
    "parameter of a step that the trainer sets": (
        TRAINER,
        steps("{use: sklearn.ensemble.RandomForestClassifier, params: {n_jobs: 4}}"),
        (
            "line 7: `trainer.steps.0.params.n_jobs` is set by the trainer: the trainer's `RONDO_WORKER_THREADS` "
            "decides it"
        ),
    ),
    "value that no rule of a parameter allows": (
        TRAINER,
        steps("{use: sklearn.ensemble.RandomForestClassifier, params: {max_features: some}}"),
        (
            "line 7: `trainer.steps.0.params.max_features` is 'some', and must be a whole number from 1 to 100000, a "
            "number from 1e-06 to 1, or one of sqrt, log2"
        ),
    ),
    "list that is too short": (
        TRAINER,
        steps("{use: sklearn.preprocessing.MinMaxScaler, params: {feature_range: [1]}}", f"{{use: {LOGISTIC}}}"),
        (
            "line 7: `trainer.steps.0.params.feature_range` is [1], and must be a list of 2, each a number from "
            "-1000000 to 1000000"
        ),
    ),
    "optional feature without an imputer": (
        TRAINER,
        steps("{use: sklearn.preprocessing.StandardScaler}", f"{{use: {LOGISTIC}}}"),
        (
            "line 6: `features.temp.optional`: a value may be missing, and LogisticRegression of `trainer.steps` takes "
            "none: add an imputer as the first step, `{use: sklearn.impute.SimpleImputer}`, or declare `prepare.impute`"
        ),
    ),
    "search of a misspelt parameter": (
        TRAINER,
        search("{lerning_rate: {low: 0.01, high: 0.3}}"),
        "line 7: `trainer.search.space.lerning_rate` is not a parameter of LightGBM: did you mean `learning_rate`?",
    ),
    "search of what the trainer sets": (
        TRAINER,
        search("{seed: [1, 2]}"),
        "line 7: `trainer.search.space.seed` is set by the trainer: write `trainer.seed`",
    ),
    "search beyond the bounds": (
        TRAINER,
        search("{num_leaves: {low: 8, high: 100000}}"),
        "line 7: `trainer.search.space.num_leaves` is 100000, and must be from 2 to 4096",
    ),
    "search of another type": (
        TRAINER,
        search("{extra_trees: [true, 1]}"),
        "line 7: `trainer.search.space.extra_trees` is 1, and must be true or false",
    ),
    "search of a function": (
        "trainer: {",
        "trainer: {kind: function, function: 'own.train:fit', search: {trials: 5}, ",
        "line 7: `trainer.search`: a function has parameters of its own: leave `search` out, and let it search",
    ),
    "search under two names": (
        TRAINER,
        search("{learning_rate: {low: 0.01, high: 0.3}, eta: [0.1]}"),
        "line 7: `trainer.search.space.learning_rate` is the same parameter as `eta`: keep one of the two",
    ),
    "search of half a range": (
        TRAINER,
        search("{num_leaves: {low: 8}}"),
        (
            "line 7: `trainer.search.space.num_leaves` needs both ends of its range, `low` and `high`, or a list of "
            "values"
        ),
    ),
    "search of a range and a list": (
        TRAINER,
        search("{num_leaves: {low: 8, high: 16, values: [15]}}"),
        "line 7: `trainer.search.space.num_leaves` has a range and a list: keep one of the two",
    ),
    "search of an empty range": (
        TRAINER,
        search("{num_leaves: {low: 16, high: 8}}"),
        "line 7: `trainer.search.space.num_leaves` has no values: 16 is not below 8",
    ),
    "search by the logarithm of nothing": (
        TRAINER,
        search("{lambda_l2: {low: 0, high: 8, log: true}}"),
        ("line 7: `trainer.search.space.lambda_l2` has no logarithm at 0: give a `low` above 0, or leave out `log`"),
    ),
    "search of a value": (
        TRAINER,
        search("{num_leaves: 8}"),
        (
            "line 7: `trainer.search.space.num_leaves`: 8 is no space: give a range, such as {low: 0.01, high: 0.3, "
            "log: true}, or a list"
        ),
    ),
    "search from a text": (
        TRAINER,
        search("{num_leaves: {low: few, high: 8}}"),
        "line 7: `trainer.search.space.num_leaves.low`: expected a number",
    ),
    "misspelt end of a range": (
        TRAINER,
        search("{num_leaves: {values: [8], hihg: 8}}"),
        "line 7: `trainer.search.space.num_leaves.hihg` is not a known key: did you mean `high`?",
    ),
    "search of parameters that are all set": (
        TRAINER,
        (
            "trainer: {params: {n_estimators: 100, learning_rate: 0.1, num_leaves: 7, min_child_samples: 4, "
            "feature_fraction: 1, reg_lambda: 1}, search: {}}"
        ),
        (
            "line 7: `trainer.search`: all parameters that are searched by default are set: write `space`, or leave "
            "one of them out of `params`"
        ),
    ),
    "search of no step": (
        TRAINER,
        f"trainer: {{kind: sklearn, steps: [{{use: {LOGISTIC}}}], search: {{space: {{C: [1, 2]}}}}}}",
        "line 7: `trainer.search.space.C` is a parameter of no step: the names begin with logisticregression__",
    ),
    "search of a step's unknown parameter": (
        TRAINER,
        f"trainer: {{kind: sklearn, steps: [{{use: {LOGISTIC}}}], search: {{space: {{logisticregression__c: [1]}}}}}}",
        (
            "line 7: `trainer.search.space.logisticregression__c` is not a parameter of LogisticRegression here: those "
            "that can be set are fit_intercept, max_iter, tol, C, l1_ratio, class_weight, solver"
        ),
    ),
    "search between a share and a number": (
        TRAINER,
        (
            "trainer: {kind: sklearn, steps: [{use: sklearn.ensemble.RandomForestClassifier}], "
            "search: {space: {randomforestclassifier__max_features: {low: 0.1, high: 5}}}}"
        ),
        (
            "line 7: `trainer.search.space.randomforestclassifier__max_features` has different kinds of values at its "
            "ends, 0.1 and 5: give a list of values"
        ),
    ),
}
