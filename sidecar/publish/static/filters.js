// Which cards are there (by what they are, library, level, words) and what all of them show (after, split, before; marks).
"use strict";
{
  const { boxes, make } = gallery;
  const controls = document.getElementById("controls");
  const pictures = document.getElementById("pictures");
  const PLACES = { after: 0, split: 50, before: 100 };
  const FITS = {
    all: () => true,
    pending: gallery.pending,
    changed: (card) => card.dataset.status === "changed",
    new: (card) => card.dataset.status === "new",
    troubled: (card) => "troubled" in card.dataset,
    unchanged: (card) => card.dataset.status === "unchanged" || card.dataset.status === "reused" || card.dataset.status === "untouched",
  };

  const field = (name) => controls.elements[name];
  const chosen = (name) => field(name).value;
  const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

  const texts = new WeakMap();
  const text = (card) => {
    if (!texts.has(card)) texts.set(card, plain(`${card.querySelector(".name").textContent} ${card.querySelector(".why")?.textContent ?? ""}`));
    return texts.get(card);
  };

  const offer = (name, cards, words) => {
    const select = field(name);
    const values = [...new Set(cards.map((card) => card.dataset[name]))];
    if (values.join("\n") !== [...select.options].slice(1).map((option) => option.value).join("\n")) {
      const before = select.value;
      select.replaceChildren(select.options[0], ...values.map((value) => { const option = make("option", "", words(value)); option.value = value; return option; }));
      select.value = values.includes(before) ? before : "";
    }
    select.closest("label").hidden = values.length < 2;
  };

  const filter = () => {
    const all = gallery.cards();
    offer("library", all, (value) => value);
    offer("level", all, (value) => `${value[0].toUpperCase()}${value.slice(1)}s`);
    const words = plain(chosen("search")).split(/\s+/).filter(Boolean);
    const narrowed = all.filter((card) => (!chosen("library") || card.dataset.library === chosen("library"))
      && (!chosen("level") || card.dataset.level === chosen("level")) && words.every((word) => text(card).includes(word) || card.dataset.target === word));
    const fits = FITS[chosen("filter")];
    const there = new Set(narrowed.filter(fits));
    for (const card of all) card.hidden = !there.has(card);
    const narrow = there.size < all.length;
    for (const part of pictures.querySelectorAll("[data-row], [data-shelf], [data-section]")) part.hidden = !part.querySelector("[data-card]:not([hidden])");
    // Who looks for something does not look into folds; nor does the fold forget how it was.
    for (const part of pictures.querySelectorAll("details[data-section], .group__fold")) {
      if (narrow && part.dataset.was === undefined) { part.dataset.was = String(part.open); part.open = true; }
      if (!narrow && part.dataset.was !== undefined) { part.open = part.dataset.was === "true"; delete part.dataset.was; }
      const count = part.querySelector("[data-section-count]");
      if (count) count.textContent = String(part.querySelectorAll("[data-card]:not([hidden])").length);
    }
    for (const [name, fit] of Object.entries(FITS)) {
      const count = narrowed.filter(fit).length;
      const total = controls.querySelector(`[data-total=${name}]`);
      total.textContent = String(count);
      total.closest("label").hidden = count === 0 && name !== "all" && name !== chosen("filter") && !all.some(fit);
    }
    document.getElementById("none").hidden = all.length === 0 || there.size > 0;
    controls.hidden = all.length === 0;
    controls.querySelector("[data-mark]").hidden = !all.some((card) => card.dataset.boxes);
    controls.querySelector("[data-before]").hidden = !all.some((card) => card.dataset.refThumb && card.dataset.art && card.dataset.ref !== card.dataset.art);
  };

  const view = (frames) => { for (const frame of frames) gallery.tell("compare:place", PLACES[chosen("view")], frame); };

  // What "before" is in the cards: the bare art, or what the run was compared with.
  const before = (cards) => {
    for (const card of cards) {
      const shot = card.querySelector(".shot--before");
      if (!shot || !card.dataset.refThumb) continue;
      shot.dataset.art ??= shot.getAttribute("src");
      const wanted = chosen("before") === "ref" ? card.dataset.refThumb : shot.dataset.art;
      if (shot.getAttribute("src") !== wanted) shot.src = wanted;
      const words = chosen("before") === "ref" ? card.dataset.refName : "Before";
      const side = card.querySelector(".side--before");
      if (side) side.textContent = words;
    }
  };

  const mark = (cards) => {
    pictures.classList.toggle("is-marked", field("mark").checked);
    if (!field("mark").checked) return;
    for (const card of cards) {
      const [width, height] = (card.dataset.size ?? "").split("x").map(Number);
      const frame = card.querySelector(".frame");
      if (!width || !height || frame.querySelector(".mark")) continue;
      for (const [x, y, w, h] of boxes(card.dataset.boxes)) {
        const box = make("span", "mark");
        const share = (value, whole) => `${(100 * value) / whole}%`;
        Object.assign(box.style, { left: share(x, width), top: share(y, height), width: share(w, width), height: share(h, height) });
        frame.append(box);
      }
    }
  };

  const dress = (cards) => { before(cards); mark(cards); };

  if (controls) {
    const more = controls.querySelector("[data-more]");
    const open = (on) => { controls.classList.toggle("is-open", on); more.setAttribute("aria-expanded", String(on)); };
    more.addEventListener("click", () => open(!controls.classList.contains("is-open")));
    controls.addEventListener("submit", (event) => event.preventDefault());
    controls.addEventListener("input", (event) => { if (event.target.name === "search") filter(); });
    controls.addEventListener("change", (event) => {
      const { name } = event.target;
      if (name === "filter" || name === "library" || name === "level") filter();
      if (name === "view") view(pictures.querySelectorAll("[data-compare]"));
      if (name === "before") { before(gallery.cards()); if (chosen("view") === "after") { controls.querySelector("[name=view][value=split]").checked = true; view(pictures.querySelectorAll("[data-compare]")); } }
      if (name === "mark") mark(gallery.cards());
    });
    document.addEventListener("gallery:patched", () => { filter(); dress(gallery.cards()); });
    document.addEventListener("gallery:decided", filter);
    document.addEventListener("card:added", (event) => { view(event.target.querySelectorAll("[data-compare]")); dress([event.target]); });
    const fold = document.getElementById("edit-fold");
    if (fold && matchMedia("(max-width: 640px)").matches) fold.open = false; // the pictures first
    filter();
    dress(gallery.cards());
    if (chosen("view") !== "after") view(pictures.querySelectorAll("[data-compare]")); // the browser kept the choice over a reload

    const visible = () => gallery.cards().filter((card) => card.offsetParent !== null && card.querySelector("a[data-open]"));
    const step = (by) => () => {
      const list = visible();
      const here = list.indexOf(document.activeElement?.closest?.("[data-card]"));
      const next = list[here < 0 ? (by > 0 ? 0 : list.length - 1) : Math.min(Math.max(here + by, 0), list.length - 1)];
      next?.querySelector("a[data-open]").focus();
    };
    const set = (name, value) => () => { const radio = controls.querySelector(`[name=${name}][value=${value}]`); radio.checked = true; gallery.tell("change", null, radio); };
    const where = "Page";
    gallery.keys(
      { keys: ["/"], does: "Search", where, act: () => { open(true); field("search").focus(); field("search").select(); } },
      { keys: ["j"], does: "Next card", where, act: step(1) },
      { keys: ["k"], does: "Previous card", where, act: step(-1) },
      { keys: ["Enter"], does: "Open the card in the viewer", where, when: () => false, act: () => {} },
      { keys: ["1"], does: "Cards show after", where, act: set("view", "after") },
      { keys: ["2"], does: "Cards show both", where, act: set("view", "split") },
      { keys: ["3"], does: "Cards show before", where, act: set("view", "before") },
      { keys: ["m"], does: "Mark differences", where, when: () => !controls.querySelector("[data-mark]").hidden, act: () => field("mark").click() },
      { keys: ["f"], does: "Next filter", where, act: () => {
        const open = [...controls.querySelectorAll("[name=filter]")].filter((radio) => !radio.closest("label").hidden);
        const next = open[(open.findIndex((radio) => radio.checked) + 1) % open.length];
        next.checked = true;
        filter();
      } },
    );
  }
}
