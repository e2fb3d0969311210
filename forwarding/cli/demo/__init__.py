"""`extra-headers demo`: a recording provider, a real server in front of it, and scenarios that check both."""
