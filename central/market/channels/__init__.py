"""Channels (kanály): how messages leave and how they come in; nothing here knows what a message means.

Bottom up: `allowed` (what may leave for which environment), `port` (what every channel does), `archive` (all octets as
they left and came), the adapters `plain_http`, `folder`, `mail` and `soap`, and what these stand on: `keys`,
`certificates`, `cms` and `smime`, `wss`. `receive` takes in what came, once.
"""
