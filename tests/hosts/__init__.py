"""The environments that the tests run in: which versions they hold, and that they are the ends of what is declared."""
