"""The libraries that these tests compile stay out of the user's cache."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    before = os.environ.get("QMFN_CACHE")
    os.environ["QMFN_CACHE"] = str(tmp_path_factory.mktemp("libraries"))
    yield
    if before is None:
        del os.environ["QMFN_CACHE"]
    else:
        os.environ["QMFN_CACHE"] = before
