"""How two models differ on the same rows: what a rollout is judged by."""
