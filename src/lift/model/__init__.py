"""What is believed about the data: specification, priors, response, baseline, and the posterior."""
