"""The libraries that fit models, one file each."""
