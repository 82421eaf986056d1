// The keyboard: every script says which keys it takes and what for; `?` shows them all. Letters can be switched off there,
// since who talks to the computer would press them by speaking.
"use strict";
{
  const help = document.getElementById("keys");
  const list = help.querySelector("[data-keys]");
  const letters = help.querySelector("[data-letters]");
  const bindings = [];
  const NAMES = { " ": "Space", ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc" };

  // {keys, does, where, act(event), when()}: `where` is a heading of the list, and "Viewer" keys act in the open viewer only.
  gallery.keys = (...given) => { bindings.push(...given); };

  const place = (event) => {
    const dialog = event.target.closest?.("dialog") ?? document.querySelector("dialog[open]");
    return dialog === null ? "Page" : dialog.id === "viewer" ? "Viewer" : "";
  };

  const draw = () => {
    const places = new Map();
    for (const binding of bindings) {
      if (!places.has(binding.where)) places.set(binding.where, gallery.make("dl", "keys"));
      const row = gallery.make("div", "", gallery.make("dt"), gallery.make("dd", "", binding.does));
      const shown = binding.show ?? binding.keys.map((key) => NAMES[key] ?? key);
      row.firstChild.append(...shown.flatMap((key, at) => [...(at ? [" "] : []), gallery.make("kbd", "", key)]));
      places.get(binding.where).append(row);
    }
    list.replaceChildren(...[...places].flatMap(([name, rows]) => [gallery.make("h3", "", name), rows]));
  };

  const show = () => { draw(); if (!help.open) help.showModal(); };

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey || event.isComposing) return;
    const field = event.target.closest?.("input:not([type=radio], [type=checkbox]), select, textarea, [contenteditable]");
    if (field) return;
    if (!letters.checked && event.key.length === 1 && event.key !== " ") return;
    // What a focused control does with Space, Enter and the arrows is its own.
    if (event.target.closest?.("button, a, summary") && (event.key === " " || event.key === "Enter")) return;
    if (event.target.closest?.("input[type=radio], [role=slider]") && (event.key === " " || event.key.startsWith("Arrow"))) return;
    const where = place(event);
    for (const { keys, act, when, where: mine } of bindings) {
      if ((mine === where || mine === "Everywhere") && keys.includes(event.key) && (when?.() ?? true)) {
        event.preventDefault();
        act(event);
        return;
      }
    }
  });

  letters.checked = gallery.recall("letters") !== "off";
  letters.addEventListener("change", () => gallery.remember("letters", letters.checked ? "on" : "off"));
  help.addEventListener("click", (event) => { if (event.target.closest("[data-close]") || event.target === help) help.close(); });
  for (const button of document.querySelectorAll("[data-show-keys]")) { button.hidden = false; button.addEventListener("click", show); }
  gallery.keys({ keys: ["?"], does: "Show the keys", where: "Everywhere", act: show });
}
