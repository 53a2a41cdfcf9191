"""What a principal may do in the API. Who it is, tells `ingest.auth.authenticate`."""

from __future__ import annotations

from schemas.errors import Forbidden
from schemas.people import Principal


def require_project(principal: Principal, project: str) -> None:
    """Raises Forbidden when the key is bound to another project, whether that exists or not."""
    if not principal.may_use(project):
        raise Forbidden(f"this key is bound to the project {principal.project!r}")


def require_admin(principal: Principal) -> None:
    """Raises Forbidden unless the key is an admin key."""
    if principal.scope != "admin":
        raise Forbidden("this needs an admin key")
