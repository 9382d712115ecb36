# SPDX-License-Identifier: BSD-3-Clause
"""Code in, outputs out."""
