"""From what a viewer sends to what a person decided."""
