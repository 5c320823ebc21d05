"""Small parts that all docks are made of."""
