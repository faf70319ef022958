"""Requests that go along as tests."""
