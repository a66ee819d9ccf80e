"""Promotions, rollouts and rollbacks of versions.

`promotion.py` promotes at once. A canary and the other strategies are rollouts: `plan.py` has their shares and steps,
and `advance.py` decides. `rollback_decision.py` decides about withdrawals.
"""
