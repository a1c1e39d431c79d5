"""What a pipeline author writes: component specs and components."""
