"""Looking after a store: what is in it, what it takes, what is damaged. Nothing here changes it."""
