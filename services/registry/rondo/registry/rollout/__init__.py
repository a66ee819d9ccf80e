"""How a version takes over and how it is withdrawn.

`promotion.py` is at once. A canary and the other strategies are rollouts: `plan.py` has their shares and steps, and
`advance.py` decides. `rollback_decision.py` withdraws.
"""
