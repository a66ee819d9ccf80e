"""Who calls a service: principals, their roles, and the tokens that every service follows from Kafka."""
