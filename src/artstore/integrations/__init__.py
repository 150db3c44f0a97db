"""Other people's libraries, taught to read artifacts."""
