"""The components that pipeline authors use, and their specs."""
