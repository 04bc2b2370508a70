// A list of rows with ids: what changed is patched, everything else stays as it is.

export class KeyedList {
  /**
   * @param {Element} parent Where the rows are.
   * @param {() => {root: Element, update: (row: object) => void, tick?: (now: number) => void}} view Makes a row.
   */
  constructor(parent, view) {
    this.parent = parent;
    this.view = view;
    this.shown = new Map(); // id -> {view, order}
  }

  get size() {
    return this.shown.size;
  }

  has(id) {
    return this.shown.has(id);
  }

  clear() {
    this.shown.clear();
    this.parent.replaceChildren();
  }

  /** Apply changes: pairs of an id and its new row, or null for a row that is gone. */
  patch(changes, now) {
    for (const [id, row] of changes) {
      const known = this.shown.get(id);
      if (row === null) {
        if (known) known.view.root.remove();
        this.shown.delete(id);
        continue;
      }
      const entry = known ?? { view: this.view(), order: undefined };
      if (!known) this.shown.set(id, entry);
      entry.view.update(row);
      entry.view.tick?.(now);
      if (entry.order !== row.order) {
        entry.order = row.order;
        entry.view.root.rowOrder = row.order;
        this.place(entry.view.root);
      }
    }
  }

  /** Once a second: the clocks. */
  tick(now) {
    for (const { view } of this.shown.values()) view.tick?.(now);
  }

  place(root) {
    root.remove();
    // From the end: new rows mostly belong there.
    let before = null;
    for (let at = this.parent.lastElementChild; at && at.rowOrder > root.rowOrder; at = at.previousElementSibling) {
      before = at;
    }
    this.parent.insertBefore(root, before);
  }
}
