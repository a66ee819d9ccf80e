"""What the evidence leads to: findings, and which alerts are open. `notifications` decides about messages."""
