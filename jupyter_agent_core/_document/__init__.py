# SPDX-License-Identifier: BSD-3-Clause
"""A notebook's content, and how it is kept in step with the server."""
