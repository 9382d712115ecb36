# SPDX-License-Identifier: BSD-3-Clause
"""Code that is sent to kernels as text; nothing of it runs here.

It needs Python 3.8 and the standard library, and leaves no name behind.
"""
