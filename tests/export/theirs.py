"""Tensorlake's own package, which may stand in an environment of its own, whose interpreter TENSORLAKE_PYTHON names."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PYTHON = os.environ.get("TENSORLAKE_PYTHON") or (sys.executable if importlib.util.find_spec("tensorlake") else "")
needs_tensorlake = pytest.mark.skipif(
    not PYTHON, reason="tensorlake is not installed, and TENSORLAKE_PYTHON names no other"
)
CHECK = '''
import io, json, sys, zipfile
from tensorlake.applications.remote.code.loader import load_code
from tensorlake.applications.remote.deploy import deploy_applications
from tensorlake.applications.registry import get_functions
from tensorlake.applications.validation import validate_loaded_applications
from tensorlake.image.utils import dockerfile_content

class Cloud:
    """Keeps what is deployed."""
    def __init__(self):
        self.manifests, self.names = [], []
    def upsert_application(self, manifest_json, code_zip, upgrade_running_requests):
        self.manifests.append(json.loads(manifest_json))
        self.names = sorted(zipfile.ZipFile(io.BytesIO(code_zip)).namelist())

path, calls = sys.argv[1], json.loads(sys.argv[2])
load_code(path)
found = [(each.severity.name, each.message) for each in validate_loaded_applications()]
functions, cloud = get_functions(), Cloud()
images = {(app._function_config.function_name, each._function_config.function_name): "image"
          for app in functions for each in functions}
deploy_applications(path, api_client=cloud, function_images=images)
from tensorlake.applications import run_local_application
outputs = [run_local_application(name, **given).output() for name, given in calls]
docker = sorted({dockerfile_content(each._function_config.image) for each in functions if each._function_config.image})
print("SAID " + json.dumps([found, cloud.manifests, cloud.names, outputs, docker]))
'''


class Accepted:
    """What the package makes of a directory."""

    def __init__(self, said: list[Any]) -> None:
        self.messages: list[tuple[str, str]] = [tuple(each) for each in said[0]]
        self.manifests: dict[str, Any] = {each["name"]: each for each in said[1]}
        self.zipped: list[str] = said[2]
        self.outputs: list[Any] = said[3]
        self.dockerfiles: list[str] = said[4]

    @property
    def errors(self) -> list[str]:
        """What its validation finds wrong."""
        return [text for severity, text in self.messages if severity == "ERROR"]


def accepted(path: Path, calls: list[tuple[str, dict[str, Any]]], **environment: str) -> Accepted:
    """Load, validate, deploy to a stand-in, and run locally. Raises `AssertionError` with what it said."""
    done = subprocess.run(
        [PYTHON, "-c", CHECK, str(path), json.dumps(calls)],
        capture_output=True, text=True, timeout=120, check=False, cwd=path.parent,
        env={**os.environ, "PYTHONPATH": "", "PYTHONDONTWRITEBYTECODE": "1", **environment},
    )  # fmt: skip
    said = [line for line in done.stdout.splitlines() if line.startswith("SAID ")]
    assert done.returncode == 0, done.stderr
    assert said, done.stdout
    return Accepted(json.loads(said[0].removeprefix("SAID ")))
