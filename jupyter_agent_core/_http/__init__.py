# SPDX-License-Identifier: BSD-3-Clause
"""Everything HTTP: the REST API, websockets, discovery and the private server."""
