"""Estimators fit models. Each library is one file, behind the protocol in `base.py`."""
