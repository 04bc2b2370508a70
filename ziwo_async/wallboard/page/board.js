// The board: what changed is collected, and drawn once per animation frame.

import { KeyedList } from "./list.js";
import { agentRow, callRow, figureRow, queueRow } from "./rows.js";
import { setText } from "./text.js";

const EMPTY = { kpis: "No figures", queues: "No queues", calls: "No live calls", agents: "No agents" };
const KINDS = Object.keys(EMPTY);

export class Board {
  constructor() {
    const at = (id) => document.getElementById(id);
    this.mainFigures = new KeyedList(at("kpi-list"), figureRow);
    this.otherFigures = new KeyedList(at("kpi-rest"), figureRow);
    this.lists = {
      queues: new KeyedList(at("queue-list"), queueRow),
      calls: new KeyedList(at("call-list"), callRow),
      agents: new KeyedList(at("agent-list"), agentRow),
    };
    this.counts = { calls: at("call-count"), agents: at("agent-count") };
    this.more = at("call-more");
    this.pending = null; // changes that are not drawn yet: at most one for each row
    this.offset = 0; // the server's clock minus the browser's, in seconds
    this.hiddenCalls = 0;
    this.drawn = 0;
    setInterval(() => this.tick(), 1000);
  }

  now() {
    return Date.now() / 1000 + this.offset;
  }

  /** Take a message of the server: everything (`full`), or what changed. */
  take(message) {
    this.offset = message.now - Date.now() / 1000;
    if (message.full || this.pending === null) {
      const scheduled = this.pending !== null;
      this.pending = { full: message.full || false, changes: Object.fromEntries(KINDS.map((kind) => [kind, new Map()])) };
      if (!scheduled) requestAnimationFrame(() => this.draw());
    }
    for (const kind of KINDS) {
      // A map, because an id may be any text, `__proto__` too.
      for (const [id, row] of Object.entries(message[kind] ?? {})) this.note(kind, id, row);
    }
    this.hiddenCalls = message.hidden_calls;
    for (const kind of KINDS) {
      const note = document.getElementById(`${kind}-note`);
      setText(note, message.notes[kind] ? `Not told by ZIWO: ${message.notes[kind]}` : EMPTY[kind]);
    }
  }

  note(kind, id, row) {
    const { full, changes } = this.pending;
    const lists = kind === "kpis" ? [this.mainFigures, this.otherFigures] : [this.lists[kind]];
    // A page out of sight is not drawn, for hours perhaps: rows that came and went meanwhile must not pile up.
    if (row === null && (full || !lists.some((list) => list.has(id)))) changes[kind].delete(id);
    else changes[kind].set(id, row);
  }

  draw() {
    const { full, changes } = this.pending;
    this.pending = null;
    this.drawn += 1;
    const now = this.now();
    if (full) {
      for (const list of [this.mainFigures, this.otherFigures, ...Object.values(this.lists)]) list.clear();
    }
    // A figure that is gone may be in either list.
    const figures = [...changes.kpis];
    this.mainFigures.patch(figures.filter(([, row]) => row === null || row.main), now);
    this.otherFigures.patch(figures.filter(([, row]) => row === null || !row.main), now);
    for (const [kind, list] of Object.entries(this.lists)) list.patch(changes[kind], now);
    setText(this.counts.calls, String(this.lists.calls.size + this.hiddenCalls));
    setText(this.counts.agents, String(this.lists.agents.size));
    this.more.hidden = this.hiddenCalls === 0;
    setText(this.more, this.hiddenCalls ? `and ${this.hiddenCalls} more` : "");
  }

  tick() {
    if (document.hidden) return;
    requestAnimationFrame(() => {
      const now = this.now();
      for (const list of Object.values(this.lists)) list.tick(now);
    });
  }
}
