"""The contact centre: who exists. `Simulator` puts servers in front of it."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeAlias

from .directory import Directory
from .numbers import SimNumber
from .people import RIGHTS, SimAgent, SimCustomer
from .problems import NotRunning, SimulatorError, UnknownAgent
from .queues import SimQueue
from .trackers import SimTracker

if TYPE_CHECKING:
    from .calls import CallDirection, SimCall
    from .server import Simulator

__all__ = ["Destination", "World"]

_REMEMBERED = 10_000

Destination: TypeAlias = "SimCustomer | tuple[SimAgent, bool]"

ECHO_NUMBER = "9196"


class World(Directory):
    """A contact centre with agents, customers and queues, and the `Directory` of what else it has.

    Every uuid and token comes from one seeded generator: the same test makes the same ones.

    Args:
        contact_center: Instance name, as in `https://<name>-api.aswat.co`.
        seed: Seed of the generator.
        agents: ccLogins of the agents that exist from the beginning.

    Attributes:
        calls: The calls, oldest first; of those that ended, the last 10 000 at least.
        dtmf: What clients sent by `verto.info`, as (callID, digits), oldest first; the last 10 000 at least.
        tokens: Access tokens that a simulator accepts from its beginning, and whose they are.
    """

    def __init__(
        self, contact_center: str = "acme", *, seed: int = 0, agents: Iterable[str] = ("0011", "5555")
    ) -> None:
        self._simulator: Simulator | None = None
        super().__init__(seed)
        self.contact_center = contact_center
        self.rng = random.Random(seed)
        self.calls: list[SimCall] = []
        self.dtmf: list[tuple[str, str]] = []
        self.tokens: dict[str, SimAgent] = {}
        self._agents: dict[str, SimAgent] = {}
        self._customers: dict[str, SimCustomer] = {}
        self._users: list[SimAgent] = []
        self._queues: dict[str, SimQueue] = {}
        self._extensions: dict[str, tuple[str, bool]] = {}
        for cc_login in agents:
            self.add_agent(cc_login)
        self.service(ECHO_NUMBER)

    # ---- who exists ------------------------------------------------------------------------------------------

    def add_agent(
        self,
        cc_login: str,
        *,
        first_name: str = "Agent",
        last_name: str | None = None,
        username: str | None = None,
        password: str | None = None,
        cc_password: str | None = None,
        position: str | None = None,
        verto_password: str = "",
        effective_name: str | None = None,
        rights: Iterable[str] = RIGHTS,
        token: str | None = None,
    ) -> SimAgent:
        """Add an agent; everything that is not given has a value made of the ccLogin.

        Args:
            cc_login: Agent number, a string: leading zeros matter.
            first_name: Given name.
            last_name: Family name; None: the ccLogin.
            username: E-mail of the REST login; None: `agent<ccLogin>@<contact center>.example`.
            password: REST password; None: a made one (`agent.password`).
            cc_password: Secret of the Verto password; None: a made one.
            position: Verto login; None: `agent-<ccLogin>`.
            verto_password: The Verto `passwd` itself, instead of the hash; for replays of captured sessions.
            effective_name: Name that others are shown when this agent calls them; None: what the client sends.
            rights: What the agent may do; by default everything.
            token: An access token that is accepted from the beginning, beside those of logins.

        Raises:
            SimulatorError: There is such an agent already.
        """
        if cc_login in self._agents:
            raise SimulatorError(f"there is an agent {cc_login} already")
        agent = SimAgent(
            self,
            self._next_user_id(),
            cc_login,
            first_name=first_name,
            last_name=last_name if last_name is not None else cc_login,
            username=username or f"agent{cc_login}@{self.contact_center}.example",
            password=password or f"password-{cc_login}",
            cc_password=cc_password or f"{self.rng.randrange(10**7, 10**8)}",
            position=position or f"agent-{cc_login}",
            verto_password=verto_password,
            effective_name=effective_name,
            rights=rights,
            type="agent",
            created_at=self.now(),
        )
        self._agents[cc_login] = agent
        self._accept(token, agent)
        self.watch.poke()
        return agent

    def add_user(
        self,
        username: str,
        *,
        first_name: str = "Admin",
        last_name: str = "User",
        password: str | None = None,
        rights: Iterable[str] = RIGHTS,
        token: str | None = None,
    ) -> SimAgent:
        """Add a user without a phone, such as an admin: in the REST API only, and not among `agents`.

        Args:
            username: E-mail of the login.
            first_name: Given name.
            last_name: Family name.
            password: Password of the login; None: a made one.
            rights: What the user may do; by default everything.
            token: An access token that is accepted from the beginning.

        Raises:
            SimulatorError: There is such a user already.
        """
        if any(user.username == username for user in self.users):
            raise SimulatorError(f"there is a user {username!r} already")
        user = SimAgent(
            self,
            self._next_user_id(),
            "",
            first_name=first_name,
            last_name=last_name,
            username=username,
            password=password or f"password-{username}",
            cc_password="",
            position="",
            verto_password="",
            effective_name=None,
            rights=rights,
            type="admin",
            created_at=self.now(),
        )
        self._users.append(user)
        self._accept(token, user)
        return user

    def _accept(self, token: str | None, user: SimAgent) -> None:
        if token is None:
            return
        self.tokens[token] = user
        if self._simulator is not None:
            self._simulator.rest.accept_token(token, user)

    def _next_user_id(self) -> int:
        return 100 + len(self._agents) + len(self._users)

    def agent(self, cc_login: str) -> SimAgent:
        """The agent with that ccLogin.

        Raises:
            UnknownAgent: There is none.
        """
        try:
            return self._agents[cc_login]
        except KeyError:
            known = ", ".join(sorted(self._agents)) or "none"
            raise UnknownAgent(f"the world has no agent {cc_login!r}; it has: {known}") from None

    @property
    def agents(self) -> tuple[SimAgent, ...]:
        """All agents, in the order they were added."""
        return tuple(self._agents.values())

    @property
    def users(self) -> tuple[SimAgent, ...]:
        """All who can log in: the agents, and the users without a phone."""
        return (*self._agents.values(), *self._users)

    def customer(self, number: str, *, name: str = "Customer") -> SimCustomer:
        """The customer with that number; made on first use, with that name."""
        customer = self._customers.get(number)
        if customer is None:
            customer = self._customers[number] = SimCustomer(self, number, name)
        return customer

    def service(self, number: str) -> SimCustomer:
        """An application of the server at a number: answers at once, lives until the agent hangs up.

        It is scripted like a customer; the echo test "9196" exists from the beginning.
        """
        service = SimCustomer(self, number, "", service=True)
        service.will(answer_after=0.0, early_media=False)
        self._customers[number] = service
        return service

    def extension(self, number: str, agent: SimAgent, *, ringback: bool = False) -> None:
        """Another number of an agent; with `ringback` its callers get early media (`verto.media`) while it rings."""
        self._extensions[number] = (agent.ccLogin, ringback)

    def queue(self, name: str, *, agents: Iterable[SimAgent] | None = None) -> SimQueue:
        """The queue of that name; made on first use. `agents` sets who serves it."""
        queue = self._queues.get(name)
        if queue is None:
            number = len(self._queues) + 1
            queue = self._queues[name] = SimQueue(self, name, [], number=number, created_at=self.now())
        if agents is not None:
            queue.agents = list(agents)
        self.watch.poke()
        return queue

    def linked(self, number: SimNumber) -> SimQueue | SimTracker | None:
        """What a number leads to; None: nothing, or something that is not there any more."""
        if number.link_type == "queue":
            return self._queues.get(number.link_name)
        if number.link_type == "callTracker":
            return next((tracker for tracker in self.trackers if tracker.name == number.link_name), None)
        return None

    @property
    def queues(self) -> tuple[SimQueue, ...]:
        """All queues, in the order they were made."""
        return tuple(self._queues.values())

    # ---- lookups of the server -------------------------------------------------------------------------------

    def destination(self, number: str) -> Destination | None:
        """Where a dialled number leads: a customer or service, an agent (and whether callers hear ringback)."""
        customer = self._customers.get(number)
        if customer is not None:
            return customer
        cc_login, ringback = self._extensions.get(number, (number.removeprefix("agent-"), False))
        agent = self._agents.get(cc_login)
        return None if agent is None else (agent, ringback)

    def direction_of(self, number: str) -> CallDirection:
        """What kind of call an agent's call to that number is."""
        target = self.destination(number)
        if isinstance(target, tuple):
            return "internal"
        if number.startswith(("*", "#")) or (target is not None and target.service):
            return "service"
        return "outbound"

    def agent_by_login(self, login: str) -> SimAgent | None:
        """The agent of a Verto login (without domain); the directory ignores case (measured)."""
        wanted = login.casefold()
        return next((agent for agent in self._agents.values() if agent.position.casefold() == wanted), None)

    def new_uuid(self) -> str:
        """A uuid out of the seeded generator."""
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))

    # ---- the running simulator -------------------------------------------------------------------------------

    def now(self) -> float:
        """Seconds since the epoch: the simulator's time while one serves this world."""
        return self._simulator.clock.epoch() if self._simulator is not None else time.time()

    def open(self, simulator: Simulator) -> None:
        """A simulator starts to serve this world (used by `Simulator`)."""
        if self._simulator is not None:
            raise SimulatorError("this world is served by a simulator already")
        self._simulator = simulator

    def close(self) -> None:
        """No simulator serves this world any more (used by `Simulator`)."""
        self._simulator = None

    def running(self) -> Simulator:
        """The simulator that serves this world.

        Raises:
            NotRunning: There is none.
        """
        if self._simulator is None:
            raise NotRunning("nothing serves this world; use it inside `async with Simulator(world)`")
        return self._simulator

    def is_connected(self, agent: SimAgent) -> bool:
        """Whether the agent has a logged-in Verto socket."""
        return self._simulator is not None and bool(self._simulator.verto.of_agent(agent))

    def is_on_call(self, agent: SimAgent) -> bool:
        """Whether a leg of the agent is alive, ringing ones included."""
        return self._simulator is not None and any(leg.agent is agent for leg in self._simulator.switch.legs.values())

    def is_client_ready(self, agent: SimAgent) -> bool:
        """Whether a socket of the agent was told `verto.clientReady`."""
        return self._simulator is not None and any(
            session.client_ready for session in self._simulator.verto.of_agent(agent)
        )

    def began(self, call: SimCall) -> None:
        """There is a new call (used by the server)."""
        self.calls.append(call)
        self.running().call_log.began(call)
        self.watch.poke()
        if len(self.calls) > 2 * _REMEMBERED:
            # A world that is served for months does not fill the memory; live calls stay.
            oldest, newest = self.calls[:-_REMEMBERED], self.calls[-_REMEMBERED:]
            self.calls[:] = [*(call for call in oldest if call.state != "ended"), *newest]

    def dtmf_received(self, call_id: str, digits: str) -> None:
        """A client sent DTMF digits (used by the server); read them in `dtmf`."""
        self.dtmf.append((call_id, digits))
        if len(self.dtmf) > 2 * _REMEMBERED:
            del self.dtmf[:_REMEMBERED]
        self.watch.poke()

    def agent_changed(self) -> None:
        """An agent's status, readiness or socket changed: queues look again."""
        self.watch.poke()
        if self._simulator is not None:
            for queue in self._queues.values():
                for call in tuple(queue.waiting):
                    self._simulator.commands.serve_queue(queue, call)
