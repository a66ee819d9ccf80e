"""Access tokens: created, rotated and revoked by admins, and seeded at the start."""
