"""Resource: the contact centre's own telephone numbers."""

from __future__ import annotations

from collections.abc import Iterable

from .models.number import LinkType, Number
from .models.queue import Queue
from .paging import PAGE_SIZE, Listing
from .resource import Resource

__all__ = ["NumbersResource", "number_of_queue"]


class NumbersResource(Resource):
    """The telephone numbers (DIDs) of the contact centre. Those of an agent are in `ziwo.agent.numbers`."""

    def list_all(self, *, page_size: int = PAGE_SIZE) -> Listing[Number]:
        """List all numbers.

        Needs: an admin. (`GET /admin/numbers/`; source: Manager app)

        Args:
            page_size: How many to ask for at a time; ZIWO allows admins 50.
        """
        return self._listing(Number, "/admin/numbers/", key=lambda number: number.id, page_size=page_size)


def number_of_queue(numbers: Iterable[Number], queue: Queue | str) -> Number | None:
    """Find the number that leads to a queue: the first that is linked to the queue's name; None when there is none.

    (Source of the rule: ZIWO's Verto tutorial)

    Args:
        numbers: Where to look.
        queue: The queue, or its name.
    """
    name = queue if isinstance(queue, str) else queue.name
    if not name:
        return None
    return next((n for n in numbers if n.link_type is LinkType.QUEUE and n.link_data == name), None)
