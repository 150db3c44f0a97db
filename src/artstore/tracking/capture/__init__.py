"""What is noted about the process, its code and its machine, without secrets."""
