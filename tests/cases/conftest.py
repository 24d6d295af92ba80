"""Files as people have them: each test is a situation that was publicly reported to go wrong somewhere."""

from __future__ import annotations

from tests.data.conftest import write_series  # noqa: F401  a fixture
