"""Messages about alerts: grouped, repeated, silenced, and delivered to receivers."""
