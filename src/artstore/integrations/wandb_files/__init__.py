"""W&B's files, read as its SDK and `wandb artifact get` leave them in a directory; without W&B."""
