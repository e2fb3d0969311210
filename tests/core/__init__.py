"""The pure core as a specification: tables of cases, laws for any input, and the rules that keep it pure."""
