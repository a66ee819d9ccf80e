"""The template of a spec, to be completed by a person."""

TEMPLATE = """\
# A model that Rondo trains, serves and watches. docs/spec.md describes every key.
model: my-model           # the name in requests and commands: a-z, 0-9, - and _
task: binary              # one of two labels; multiclass: one of several; regression: a number

data:
  dataset: my-data        # the first argument of `rondo publish`
  entity: customer_id     # the column with the id of what a row is about: text or whole numbers
  event_time: created_at  # the column with its time, with a zone, such as 2013-01-01T10:00:00Z
  label: churned          # the column with what to predict: if binary, 0 or 1, true or false, or these two texts
  # positive: "yes"
  # negative: "no"
  # label_delay: 30d      # how long after its event time a label is known, at most

# The columns that the model decides by: they are known when a prediction is asked for. Types are category (text),
# float, int and bool. A row with another value goes to the quarantine, and a request is refused.
features:
  plan: {type: category}
  # region: {type: category, values: [north, south]}
  monthly_charge: {type: float, min: 0}
  # support_calls: {type: int, optional: true, min: 0}   # may be missing

# trainer: {min_rows: 1000, params: {n_estimators: 100}}
# gates: {roc_auc: {min: 0.6, not_worse_than_champion: 0.03}}   # what a version must pass before it serves
# retrain: {cooldown: 1d, budget_per_week: 5}   # when: see docs/retraining.md
# monitor: {false_alarm_rate: 0.01}
"""
