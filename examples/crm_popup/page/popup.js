// Opens the customer's record when a call rings at the agent's, or at the customer's. Every call is listed too, with a
// link, since browsers block pop-ups until the agent allows them for this page.

const MOST = 20;
const STATES = {
  live: "Live",
  stale: "No connection to ZIWO: calls are not seen",
  lost: "No connection to the server: calls are not seen",
  refused: "The token is needed",
};
const items = new Map(); // callID -> the call's item
const claimed = new Map(); // callID -> lets the claim go
const at = (id) => document.getElementById(id);

function make(parent, tag, text = "") {
  const node = parent.appendChild(document.createElement(tag));
  node.textContent = text; // text is only ever text
  return node;
}

/** The item of a call, made when it is first heard of. */
function itemOf(detail) {
  let item = items.get(detail.callID);
  if (item) return item;
  const root = document.createElement("li");
  at("calls").prepend(root);
  item = { root, number: make(root, "strong", detail.customerNumber || "Hidden number"), state: make(root, "span") };
  for (const [action, label] of [["answer", "Answer"], ["hangup", "Hang up"]]) {
    if (!detail.dialog[action]) continue;
    item[action] = make(root, "button", label);
    item[action].addEventListener("click", () => detail.dialog[action]().catch(tellProblem));
  }
  item.record = make(root, "p");
  items.set(detail.callID, item);
  for (const [callID, { root: old }] of items) {
    if (items.size <= MOST) break;
    old.remove();
    items.delete(callID);
  }
  return item;
}

function tellProblem(error) {
  at("problem").textContent = error.message;
}

/** Ask for the record of a call's customer, once. Whatever the server says, only http and https are opened. */
async function recordOf(detail) {
  const answer = await fetch(`records/${encodeURIComponent(detail.callID)}`, { cache: "no-store" });
  if (!answer.ok) throw new Error(answer.status === 404 ? "The call is over already." : "The CRM could not be asked.");
  const record = await answer.json();
  if (record.problem) throw new Error(record.problem);
  if (record.url && !["http:", "https:"].includes(new URL(record.url).protocol)) throw new Error("No web address.");
  return record;
}

/** The calls whose record was opened, by whichever tab; a reload forgets none. */
const opened = () => JSON.parse(localStorage.getItem("crm_popup opened") ?? "[]");

/** Whether it is this tab that opens the record: one of several does, and it does so once. */
function claim(callID) {
  if (!("locks" in navigator)) return !opened().includes(callID);
  return new Promise((decide) => {
    navigator.locks.request(`crm_popup ${callID}`, { ifAvailable: true }, (lock) => {
      // A tab that is closed or loaded again lets its claim go, but has noted before what it opened.
      const mine = lock !== null && !opened().includes(callID);
      decide(mine);
      return mine && new Promise((letGo) => claimed.set(callID, letGo)); // until the call is over
    });
  });
}

/** Open an address in a window that cannot reach back. Gives whether the browser let it happen. */
function open(url) {
  const page = window.open("about:blank", "_blank");
  if (!page) return false;
  page.opener = null; // what "noopener" does; asked for with that word, window.open does not tell whether it was blocked
  page.location.replace(url);
  return true;
}

async function show(detail, popUp) {
  const item = itemOf(detail);
  if (item.asked) return;
  item.asked = true;
  try {
    const { number, url } = await recordOf(detail);
    item.number.textContent = number || "Hidden number";
    if (!url) {
      item.record.textContent = "No record";
      return;
    }
    const link = make(item.record, "a", "Open the record");
    Object.assign(link, { href: url, target: "_blank", rel: "noopener noreferrer" });
    if (!popUp || !(await claim(detail.callID))) return;
    if (open(url)) {
      localStorage.setItem("crm_popup opened", JSON.stringify([...opened(), detail.callID].slice(-MOST)));
      item.root.dataset.popup = "opened";
    } else {
      item.root.dataset.popup = "blocked";
      make(item.record, "span", " The browser blocked the pop-up. Allow pop-ups for this page.");
    }
  } catch (error) {
    item.record.textContent = error.message;
  }
}

for (const state of ["requesting", "trying", "early", "ringing", "answering", "active", "held", "hangup", "destroy"]) {
  window.addEventListener(`_jorel-dialog-state-${state}`, ({ detail }) => {
    const item = itemOf(detail);
    item.state.textContent = `${detail.direction}, ${state}`;
    item.root.classList.toggle("over", state === "destroy");
    if (item.answer) item.answer.hidden = state !== "ringing";
    if (state === "destroy") {
      claimed.get(detail.callID)?.();
      claimed.delete(detail.callID);
      for (const button of item.root.querySelectorAll("button")) button.remove();
    }
  });
}
window.addEventListener("_jorel-dialog-state-ringing", ({ detail }) => show(detail, detail.direction === "inbound"));
window.addEventListener("_jorel-dialog-state-early", ({ detail }) => show(detail, detail.direction === "outbound"));
// For a page that is opened in the middle of a call.
window.addEventListener("_jorel-dialog-state-active", ({ detail }) => show(detail, false));

window.addEventListener("ziwo-events-state", ({ detail: { state } }) => {
  at("state").textContent = STATES[state];
  at("token-form").hidden = state !== "refused";
  at("call-form").hidden = !window["_jorel-callPhoneNumber"];
});

at("token-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const field = event.target.elements.token;
  const isToken = await window.ziwoEvents.enter(field.value).catch(() => false);
  field.value = "";
  at("problem").textContent = isToken ? "" : "That is not the token.";
});

at("call-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  at("problem").textContent = "";
  await window["_jorel-callPhoneNumber"](event.target.elements.number.value).catch(tellProblem);
});
