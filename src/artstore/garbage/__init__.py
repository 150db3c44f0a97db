"""Taking away what nothing needs any more: mark, plan, repack, sweep, prune."""
