"""The dock that imports results."""
