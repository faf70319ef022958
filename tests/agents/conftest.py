"""The server of the tests of applications, which notes what its process restores."""

from tests.applications.conftest import server as server
