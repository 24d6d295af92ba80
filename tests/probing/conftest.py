"""The small cohort of the tests of discovery, and the weights of the tests of commands."""

from tests.commands.conftest import weights
from tests.discovery.conftest import make_cache, split_ids

__all__ = ["make_cache", "split_ids", "weights"]
