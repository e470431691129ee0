"""The report: one static folder that shows and plays a run, from disk, without a network."""
