"""Looking after a store: what is in it, what it takes, what is damaged, and putting that back."""
