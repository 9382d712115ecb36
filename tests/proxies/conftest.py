# SPDX-License-Identifier: BSD-3-Clause
"""One nginx for all tests that need one."""

from collections.abc import Iterator

import pytest
from front import Front, front_of
from servers import RunningServer


@pytest.fixture(scope="session")
def front(
    tmp_path_factory: pytest.TempPathFactory, lab: RunningServer, plain: RunningServer
) -> Iterator[Front]:
    with front_of(tmp_path_factory.mktemp("nginx"), lab, plain) as front:
        yield front
