# SPDX-License-Identifier: BSD-3-Clause
"""What an agent holds: the notebooks in use by name, one public method for each tool."""
