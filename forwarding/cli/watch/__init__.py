"""`extra-headers watch`: the decisions of running servers, read from their metrics endpoints.

`samples` and `state` are pure. `scrape` reads endpoints, `view` shows the state, and `run` joins them.
"""
