from collections.abc import Iterator

import pytest

from halo_forge.sandbox import open_sandbox
from halo_forge.sandbox.isolation import IsolatedSandbox


@pytest.fixture(scope="session")
def sandbox() -> Iterator[IsolatedSandbox]:
    with open_sandbox() as opened:
        yield opened
