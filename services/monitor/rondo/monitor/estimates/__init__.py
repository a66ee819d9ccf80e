"""Performance without outcomes, estimated from the scores alone. The pipeline does not use it yet.

`make bench ONLY=estimates` compares it with the truth.

The assumption is that a score means what it meant on the holdout: of rows with one score, the same share has outcome 1.
It holds while only the inputs change. Where outcomes change for the same inputs, no estimate from scores sees it.
"""
