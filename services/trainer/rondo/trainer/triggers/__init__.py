"""Triggers: the causes of trainings, and the decision whether a trigger starts one."""
