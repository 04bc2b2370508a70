"""Resource: the directory of users."""

from __future__ import annotations

from .models.user import User
from .paging import PAGE_SIZE, Listing
from .resource import Resource

__all__ = ["UsersResource"]


class UsersResource(Resource):
    """Everybody who can log in, admins included."""

    def list(self, *, page_size: int = PAGE_SIZE) -> Listing[User]:
        """List all users.

        Needs: an admin. (`GET /admin/users/`; source: seen at an integrator, not documented)

        Args:
            page_size: How many to ask for at a time; ZIWO allows admins 50.
        """
        return self._listing(User, "/admin/users/", key=lambda user: user.id, page_size=page_size)
