"""What was observed: the campaign's tables, their checks, the calendar and real data sets."""
