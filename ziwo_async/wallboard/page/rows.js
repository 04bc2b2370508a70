// How an agent, a queue, a call and a figure are drawn.

import { make, setText, span } from "./text.js";

/** An agent: name, login, status and the time in it. */
export function agentRow() {
  const root = make("li", "card agent");
  const name = root.appendChild(make("span", "name"));
  const login = root.appendChild(make("span", "login"));
  const status = root.appendChild(make("span", "status"));
  const time = root.appendChild(make("span", "time"));
  let since = null;
  return {
    root,
    update(row) {
      root.dataset.tone = row.tone;
      setText(name, row.name);
      setText(login, row.login);
      setText(status, row.state ? `${row.status}, ${row.state}` : row.status);
      since = row.since;
    },
    tick(now) {
      setText(time, since === null ? "" : span(now - since));
    },
  };
}

/** A queue: how many wait, and the longest wait. */
export function queueRow() {
  const root = make("li", "card queue");
  const name = root.appendChild(make("span", "name"));
  const waiting = root.appendChild(make("strong", "waiting"));
  const word = root.appendChild(make("span", "word"));
  const wait = root.appendChild(make("span", "wait"));
  let longest = null;
  return {
    root,
    update(row) {
      root.dataset.waiting = row.waiting ? "yes" : "no";
      setText(name, row.name);
      setText(waiting, String(row.waiting));
      setText(word, "waiting");
      longest = row.longest;
    },
    tick(now) {
      setText(wait, longest === null ? "" : `longest ${span(now - longest)}`);
    },
  };
}

/** A call: who, and its states as a bar whose parts are as long as the states lasted. */
export function callRow() {
  const root = make("li", "call");
  const who = root.appendChild(make("span", "who"));
  const where = root.appendChild(make("span", "where"));
  const total = root.appendChild(make("span", "time"));
  const bar = root.appendChild(make("div", "bar"));
  bar.setAttribute("aria-hidden", "true"); // the words below say the same
  const words = root.appendChild(make("p", "words"));
  let row = null;

  const length = (index, now) => {
    const next = row.flow[index + 1];
    const end = next ? next.at : row.over ? row.flow[index].at : now;
    return Math.max(0, end - row.flow[index].at);
  };

  return {
    root,
    update(given) {
      row = given;
      root.dataset.over = row.over ? "yes" : "no";
      setText(who, row.customer || "no number");
      setText(where, row.where);
      bar.hidden = row.flow.length === 0;
      while (bar.childElementCount > row.flow.length) bar.lastElementChild.remove();
      while (bar.childElementCount < row.flow.length) bar.append(make("i", ""));
      row.flow.forEach((step, index) => {
        bar.children[index].dataset.state = step.state;
        bar.children[index].dataset.inferred = step.inferred ? "yes" : "no";
      });
    },
    tick(now) {
      const first = row.flow[0];
      const last = row.flow[row.flow.length - 1];
      setText(total, first ? span((row.over ? last.at : now) - first.at) : "");
      const told = row.flow.map((step, index) => {
        const lasted = length(index, now);
        const segment = bar.children[index].style;
        const share = String(Math.max(lasted, 0.25));
        if (segment.flexGrow !== share) segment.flexGrow = share;
        const name = step.inferred ? `${step.state} (inferred)` : step.state;
        return lasted >= 1 ? `${name} ${span(lasted)}` : name;
      });
      setText(words, told.join(" \u2192 ") || row.state || "state not known");
    },
  };
}

/** A figure: its name and its value. */
export function figureRow() {
  const root = make("div", "kpi");
  const name = root.appendChild(make("dt", ""));
  const value = root.appendChild(make("dd", ""));
  return {
    root,
    update(row) {
      setText(name, row.name);
      setText(value, row.text);
    },
  };
}
