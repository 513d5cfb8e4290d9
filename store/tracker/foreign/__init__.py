"""Training runs as other programs write them, read without those programs."""
