"""What was added to an artifact that has no version yet."""
