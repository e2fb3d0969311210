"""A view of the decisions over the metrics endpoints of one or more servers.

`samples` and `state` are pure: from the text of an endpoint to what is to be shown. `scrape` reads endpoints, `lines`
and `screen` show what is known, and `run` joins them.
"""
