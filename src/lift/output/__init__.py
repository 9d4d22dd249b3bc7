"""What people read: the run directory, its figures and its report. Nothing here fits."""
