"""What fits a model: one file per library, behind the protocol in `base.py`."""
