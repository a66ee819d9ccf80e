"""Evidence against "nothing has changed", from blocks of rows: it may be looked at after every block.

The pipeline does not use it yet: windows are evaluated by `detectors`. `make bench ONLY=evidence` simulates it.
"""
