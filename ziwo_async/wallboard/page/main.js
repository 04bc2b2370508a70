// The session with the server: the token is handed over once, then changes are read as they come.

import { Board } from "./board.js";
import { clock, setText } from "./text.js";

const SILENCE = 8000; // the server says something every 2 s
const RETRY = [500, 1000, 2000, 4000, 8000];

const feed = document.getElementById("feed");
const door = document.getElementById("door");
const main = document.getElementById("board");
const board = new Board();
let source = null;
let silence = 0;
let failures = 0;
let retrying = 0;
let heard = 0; // when the server last said something, in seconds
let announced = "";

// The header is a live region: it is written when something changed, never once a second.
function say(state, text) {
  if (document.body.dataset.feed !== state) document.body.dataset.feed = state;
  if (announced !== text) {
    announced = text;
    setText(feed, text);
  }
}

function lostServer() {
  const since = heard ? `: nothing new since ${clock(heard)}` : "";
  say("stale", `Stale, the wallboard's server does not answer${since}`);
}

function lostFeed(message) {
  const since = message.at === null ? "" : `: nothing new since ${clock(message.at)}`;
  say("stale", `Stale, no live connection to ZIWO${since}`);
}

function show(view) {
  main.hidden = view !== main;
  door.hidden = view !== door;
}

function arm() {
  clearTimeout(silence);
  silence = setTimeout(() => {
    lostServer();
    again();
  }, SILENCE);
}

function take(event) {
  failures = 0;
  heard = Date.now() / 1000;
  arm();
  const message = JSON.parse(event.data);
  board.take(message);
  if (message.live) say("live", "Live");
  else lostFeed(message);
  if (message.title) {
    document.title = `${message.title}: wallboard`;
    setText(document.querySelector("h1"), message.title);
  }
  show(main);
}

function listen() {
  clearTimeout(retrying);
  source?.close();
  source = new EventSource("stream");
  source.addEventListener("board", take);
  source.addEventListener("error", again);
  arm();
}

// The browser's own reconnect gives up after some answers, so every attempt is made here.
async function again() {
  source?.close();
  clearTimeout(silence);
  clearTimeout(retrying);
  if (heard) lostServer();
  try {
    const answer = await fetch("session", { cache: "no-store", signal: AbortSignal.timeout(SILENCE) });
    if (answer.status === 401) return ask("");
  } catch {
    lostServer();
  }
  clearTimeout(retrying);
  retrying = setTimeout(listen, RETRY[Math.min(failures++, RETRY.length - 1)]);
}

async function hand(token) {
  const answer = await fetch("session", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ token }),
    signal: AbortSignal.timeout(SILENCE),
  });
  return answer.ok;
}

function ask(problem) {
  say("door", "Waiting for the token");
  setText(document.getElementById("token-error"), problem);
  show(door);
  document.getElementById("token").focus();
}

async function enter(token) {
  try {
    if (await hand(token)) {
      listen();
      return;
    }
    ask("That is not the token.");
  } catch {
    ask("The wallboard's server does not answer.");
  }
}

document.getElementById("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const field = document.getElementById("token");
  const token = field.value;
  field.value = "";
  enter(token);
});

// Fragments are not sent to servers. It leaves the address bar and the history at once.
function takeFragment() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token) history.replaceState(null, "", location.pathname);
  return token;
}

function begin() {
  const token = takeFragment();
  if (token) enter(token);
  else listen();
}

window.addEventListener("hashchange", () => {
  const token = takeFragment();
  if (token) enter(token);
});
window.wallboard = board; // for the tests, and for the curious
begin();
