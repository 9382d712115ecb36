# SPDX-License-Identifier: BSD-3-Clause
"""A Python kernel that offers no subshells, as those before ipykernel 7."""

from typing import Any

from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp


class Kernel(IPythonKernel):
    @property
    def kernel_info(self) -> dict[str, Any]:
        return {**super().kernel_info, "supported_features": []}


if __name__ == "__main__":
    IPKernelApp.launch_instance(kernel_class=Kernel)
