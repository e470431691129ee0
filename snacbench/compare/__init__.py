"""Run against run (`gate`, `run_pair`), and codec against codec over their rates (`savings`)."""
