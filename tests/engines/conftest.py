"""The small cohort of the tests of discovery, for the engines that read a cache."""

from tests.discovery.conftest import make_cache, split_ids

__all__ = ["make_cache", "split_ids"]
