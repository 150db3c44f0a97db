"""
The directory that `art run exec --as-wandb` puts in front of PYTHONPATH: `wandb` in it is ours.
"""
