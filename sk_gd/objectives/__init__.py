"""What is minimised: losses, penalties, and a linear model on data."""
