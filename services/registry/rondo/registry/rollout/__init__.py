"""What should serve: promotion, rollback, and the reports of replicas."""
