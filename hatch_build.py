"""What a build asks for beside Python: Node, where the page's part was not built before.

Rules of this file
- Node comes as a wheel, in one version, into the environment of the build. None needs to be on the machine; one that is
  there, of whatever age, is not used.
- What makes the page's part unnecessary to build is said once, in pyproject.toml (`skip-if-exists`).
"""

from __future__ import annotations

from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class NodeHook(BuildHookInterface):  # type: ignore[type-arg]
    """Asks for Node when the page's part is to be built."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Requirements of this build."""
        page = self.build_config.build_config["hooks"]["jupyter-builder"]
        built = all(Path(self.root, target).exists() for target in page["skip-if-exists"])
        return [] if built else [self.config["node"]]
