"""What the evidence leads to: findings, alerts, and the webhooks that receive alerts."""
