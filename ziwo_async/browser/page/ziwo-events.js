// Tells this page of calls as ZIWO's web phone does: _jorel-dialog-state-<state> events on window.
//
//   <script src="/ziwo/ziwo-events.js"></script>
//
// One of the open tabs reads the stream and passes on what it hears; when it is closed, another one goes on from the
// last event. Every tab remembers by itself up to which event it was told, so none is lost or told twice.

(() => {
  "use strict";
  if (window.ziwoEvents) return;

  const base = new URL(".", document.currentScript.src);
  const SILENCE = 15000; // the server says something every 5 s
  const LOOK = 3000;
  const RETRY = [500, 1000, 2000, 4000, 8000];
  const REFUSED_RETRY = 10000;
  const PREFIX = "_jorel-dialog-state-";
  const GIVEN = { answer: [], hangup: [], hold: [], unhold: [], dtmf: ["digits"], transfer: ["number"] };

  const known = new Map(); // callID -> what was told last
  let at = ""; // id of the last event that was told, or would have been
  let control = null; // the token for commands, when the server takes any
  let source = null; // the stream, in the tab that reads it
  let leads = false;
  let heard = 0;
  let failures = 0;
  let refreshing = null;
  let stale = false; // whether something was missed while it refreshed
  let retrying = 0;

  const channel =
    "BroadcastChannel" in window && "locks" in navigator ? new BroadcastChannel(`ziwo-events ${base.href}`) : null;

  // -- what the page sees -------------------------------------------------------------------------------------------

  const api = {
    state: "connecting",
    get calls() {
      return [...known.values()].map(detailOf);
    },
    enter,
  };
  Object.defineProperty(window, "ziwoEvents", { value: api });

  function say(state) {
    if (api.state === state) return;
    api.state = state;
    window.dispatchEvent(new CustomEvent("ziwo-events-state", { detail: { state } }));
  }

  function detailOf(told) {
    const currentCall = { ...told.currentCall, state: told.state, stateFlow: told.stateFlow };
    const dialog = { ...currentCall };
    if (control !== null) {
      for (const [action, names] of Object.entries(GIVEN)) {
        dialog[action] = (...values) => {
          const given = names.map((name, index) => [name, String(values[index])]);
          return command({ action, callID: told.callID, ...Object.fromEntries(given) });
        };
      }
    }
    return { ...told, currentCall, dialog };
  }

  function tell(told) {
    if (told.state === "destroy") known.delete(told.callID);
    else known.set(told.callID, told);
    window.dispatchEvent(new CustomEvent(PREFIX + told.state, { detail: detailOf(told) }));
  }

  // A call that is gone, and whose end was never told.
  function tellEnd(told) {
    for (const state of ["hangup", "destroy"]) {
      const flow = known.get(told.callID).stateFlow;
      if (flow.some((step) => step.state === state)) continue;
      const now = Date.now();
      const step = { state, date: new Date(now).toISOString(), dateUNIX: now / 1000, inferred: true };
      const currentCall = { ...told.currentCall, hangupBy: told.currentCall.hangupBy ?? "lost" };
      tell({ ...told, state, stateFlow: [...flow, step], currentCall });
    }
  }

  const lastStep = (told) => {
    const step = told.stateFlow[told.stateFlow.length - 1];
    return step ? `${told.stateFlow.length} ${step.state} ${step.dateUNIX}` : told.state;
  };

  // All calls as they are now: for a page that knows nothing, or missed something.
  function tellAll(calls) {
    const live = new Set(calls.map((call) => call.callID));
    for (const told of [...known.values()]) if (!live.has(told.callID)) tellEnd(told);
    for (const told of calls) {
      const before = known.get(told.callID);
      if (!before || lastStep(before) !== lastStep(told)) tell(told);
    }
  }

  // -- what is heard ------------------------------------------------------------------------------------------------

  const placeOf = (id) => {
    const [epoch, number] = id.split("-");
    return { epoch, number: Number(number) };
  };

  /** How an event lies to what was told: 0 or less is old, 1 is the next, more than that means that some are missing. */
  function distance(id) {
    const [ours, theirs] = [placeOf(at), placeOf(id)];
    return ours.epoch === theirs.epoch ? theirs.number - ours.number : Infinity;
  }

  function take(message) {
    heard = Date.now();
    if (message.kind === "beat") {
      say(message.live ? "live" : "stale");
      if (distance(message.id) > 0) refresh();
    } else if (message.kind === "state") {
      const steps = distance(message.id);
      if (steps === 1) {
        at = message.id;
        tell(message.detail);
      } else if (steps > 1) refresh();
    } else if (leads) takeNews(message);
    else refresh();
  }

  function takeNews(news) {
    heard = Date.now();
    control = news.control;
    offerCalling();
    for (const { id, detail } of news.events ?? []) take({ kind: "state", id, detail });
    if (news.calls && !(distance(news.id) <= 0)) {
      at = news.id;
      tellAll(news.calls);
    }
    say(news.live ? "live" : "stale");
  }

  // A tab asks by itself when it begins, when it missed something, and when it hears nothing from the tab that leads.
  function refresh() {
    if (refreshing) stale = true;
    else {
      refreshing = ask().finally(() => {
        refreshing = null;
        if (stale) {
          stale = false;
          refresh();
        }
      });
    }
    return refreshing;
  }

  async function ask() {
    try {
      const answer = await fetch(addressOf("calls"), { cache: "no-store", signal: AbortSignal.timeout(SILENCE) });
      if (answer.ok) {
        failures = 0;
        takeNews(await answer.json());
      } else if (answer.status === 401 || answer.status === 403) say("refused");
      else say("lost");
    } catch {
      say("lost");
    }
  }

  function addressOf(path) {
    const url = new URL(path, base);
    url.searchParams.set("after", at);
    return url;
  }

  // -- the tab that leads -------------------------------------------------------------------------------------------

  function listen() {
    clearTimeout(retrying);
    source?.close();
    source = new EventSource(addressOf("events"));
    for (const kind of ["state", "calls", "beat"]) {
      source.addEventListener(kind, ({ data, lastEventId }) => {
        const found = JSON.parse(data);
        const message =
          kind === "state" ? { kind, id: lastEventId, detail: found } : { ...found, kind };
        failures = 0;
        channel?.postMessage(message);
        take(message);
      });
    }
    // The browser's own reconnect gives up after some answers, so every attempt is made here.
    source.addEventListener("error", again);
    heard = Date.now();
  }

  function again() {
    source?.close();
    source = null;
    if (api.state !== "refused") say("lost");
    clearTimeout(retrying);
    const pause = RETRY[Math.min(failures++, RETRY.length - 1)];
    retrying = setTimeout(attempt, api.state === "refused" ? REFUSED_RETRY : pause);
  }

  async function attempt() {
    await refresh();
    if (api.state === "live" || api.state === "stale") listen();
    else again();
  }

  function lead() {
    leads = true;
    attempt();
    return new Promise(() => {}); // until the tab is closed
  }

  // -- commands -----------------------------------------------------------------------------------------------------

  async function command(what) {
    const id = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0"));
    const answer = await fetch(new URL("control", base), {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Ziwo-Control": control },
      body: JSON.stringify({ ...what, id: id.join("") }),
    });
    const found = await answer.json().catch(() => ({}));
    if (!answer.ok) {
      const error = new Error(found.message ?? `refused with ${answer.status}`);
      error.name = found.error ?? "ZiwoError";
      throw error;
    }
    return found;
  }

  function offerCalling() {
    if (control === null) return;
    window["_jorel-callPhoneNumber"] = (number) => command({ action: "call", number: String(number) });
  }

  // -- the token ----------------------------------------------------------------------------------------------------

  async function enter(token) {
    const answer = await fetch(new URL("session", base), {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token }),
      signal: AbortSignal.timeout(SILENCE),
    });
    if (answer.ok) {
      channel?.postMessage({ kind: "entered" });
      await retry();
    }
    return answer.ok;
  }

  // Somebody was let in: the cookie is of all tabs.
  async function retry() {
    if (api.state === "refused") await (leads ? attempt() : refresh());
  }

  // Fragments are not sent to servers. The token leaves the address bar and the history at once.
  function takeFragment() {
    const found = /(^#|&)ziwo-token=([\w-]+)/.exec(location.hash);
    if (!found) return null;
    const rest = location.hash.replace(found[0], found[1] === "#" ? "#" : "").replace(/^#&?$/, "");
    history.replaceState(history.state, "", location.pathname + location.search + rest.replace(/^#&/, "#"));
    return found[2];
  }

  async function enterByFragment() {
    const token = takeFragment();
    if (token) await enter(token).catch(() => say("lost"));
  }

  // -- the beginning ------------------------------------------------------------------------------------------------

  const entered = enterByFragment(); // before the page's own scripts look at the address
  window.addEventListener("hashchange", enterByFragment);

  async function begin() {
    await entered;
    setInterval(look, LOOK);
    if (!channel) return void lead();
    channel.addEventListener("message", ({ data }) => {
      if (data.kind === "entered") retry();
      else if (!leads) take(data);
    });
    await refresh();
    navigator.locks.request(`ziwo-events ${base.href}`, lead).catch(lead);
  }

  // A connection that is dead without a word, and a tab that leads but sleeps.
  function look() {
    const connected = api.state === "live" || api.state === "stale";
    const limit = leads ? SILENCE : connected ? SILENCE / 2 : LOOK;
    if (Date.now() - heard < limit) return;
    if (!leads) refresh();
    else if (source) again();
  }

  // The page's own scripts must have had the chance to add their listeners.
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
