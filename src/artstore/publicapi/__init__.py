"""Reading a store as scripts written for W&B's public API do: `art.Api`."""
