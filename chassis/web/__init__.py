"""The HTTP door: an application factory, problem+json, and a server that starts and drains with its process."""

from __future__ import annotations

from chassis.web.app import WebOptions, idempotency_key, web_app
from chassis.web.problems import problem_of
from chassis.web.serve import bind, serve_web

__all__ = ["WebOptions", "bind", "idempotency_key", "problem_of", "serve_web", "web_app"]
