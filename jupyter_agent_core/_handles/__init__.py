# SPDX-License-Identifier: BSD-3-Clause
"""What users hold: a server, its notebooks, their cells and kernels, and runs."""
