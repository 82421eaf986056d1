// The big view: opens on a card, goes from card to card, and says what is known of it. How pictures are drawn: stage.js.
"use strict";
{
  const { make, stage } = gallery;
  const viewer = document.getElementById("viewer");
  const side = viewer.querySelector("[data-side]");
  const title = document.getElementById("viewer-title");
  const narrow = matchMedia("(max-width: 640px)");
  const part = (name) => viewer.querySelector(`[data-viewer=${name}]`);
  const radios = (name) => [...viewer.querySelectorAll(`input[name=${name}]`)];
  const chosen = (name) => radios(name).find((radio) => radio.checked).value;
  const choose = (name, value) => { for (const radio of radios(name)) radio.checked = radio.value === value; };

  let shown = null; // data-target of the open card
  let drawn = ""; // data-key of what is drawn of it
  let mode = ""; // the reader's choice; empty: ours
  let plex = {}; // target -> what Plex shows of it now; empty until data/plex is read

  const cards = () => gallery.cards().filter((card) => card.dataset.now && !card.hidden && !card.closest("[hidden]"));

  const subject = (card) => {
    const { dataset } = card;
    const [width, height] = (dataset.size ?? "").split("x").map((edge) => Number(edge) || 0);
    const label = card.querySelector(".name").textContent.trim().replace(/\s+/g, " ");
    const draft = dataset.engine === "draft";
    const references = { ref: dataset.ref && [dataset.ref, dataset.refName], art: dataset.art && dataset.art !== dataset.now && [dataset.art, "Bare art"], plex: plex[dataset.target] && [`${gallery.base}${plex[dataset.target].url}`, "In Plex now"] };
    const wanted = chosen("against");
    const [url, refName] = references[wanted] || references.ref || references.art || [null, ""];
    const compared = url !== null && url === dataset.ref;
    return {
      now: { url: dataset.now, alt: `${label}, this run${draft ? ", draft" : ""}`, width, height },
      ref: url === null ? null : { url, alt: `${label}, ${refName.toLowerCase()}`, width, height },
      mask: compared && dataset.mask ? { url: dataset.mask, alt: "Where they differ", width, height } : null,
      boxes: compared ? gallery.boxes(dataset.boxes) : [],
      none: compared && "reviewed" in dataset && !dataset.mask, // it was compared, and nothing differs
      ignored: gallery.boxes(dataset.ignored),
      stretched: url === dataset.art,
      name: draft ? "This run (draft)" : "This run",
      refName,
      references,
    };
  };

  const preload = (card) => { if (card) for (const url of [card.dataset.now, card.dataset.ref ?? card.dataset.art]) if (url) new Image().src = url; };

  let asked = 0;
  const details = async (card) => {
    const turn = (asked += 1);
    if (side.dataset.target !== shown) { side.replaceChildren(); side.scrollTop = 0; }
    side.dataset.target = shown;
    const parts = await gallery.detail(card).catch((error) => [make("p", "side__none", error.message)]);
    if (turn !== asked || !viewer.open) return; // another card was opened meanwhile
    const edit = document.querySelector("[data-edit]");
    if (edit && ["changed", "new"].includes(card.dataset.status)) {
      parts.push(make("section", "side__edit", make("h3", "", "What was edited"), ...[...edit.children].map((child) => child.cloneNode(true))));
    }
    side.replaceChildren(...parts);
    for (const twin of side.querySelectorAll("[id]")) twin.removeAttribute("id");
  };

  const draw = (same = false) => {
    const card = gallery.card(shown);
    if (!card?.dataset.now) return viewer.close();
    drawn = card.dataset.key;
    const subjectNow = subject(card);
    const { references } = subjectNow;
    viewer.dataset.target = shown;
    part("against").hidden = Object.values(references).filter(Boolean).length < 2;
    for (const radio of radios("against")) radio.parentElement.hidden = !references[radio.value];
    if (!references[chosen("against")]) choose("against", references.ref ? "ref" : "art");
    if (references.ref) viewer.querySelector("[data-ref-name]").textContent = references.ref[1];
    for (const radio of radios("mode")) radio.disabled = !subjectNow.ref && ["slider", "blink", "diff"].includes(radio.value);
    const wanted = mode || (narrow.matches ? "slider" : "pair");
    const possible = !subjectNow.ref && wanted !== "sizes" ? "pair" : wanted;
    choose("mode", possible);
    if (!same) details(card);
    title.replaceChildren(...[...(card.querySelector(".name a") ?? card.querySelector(".name")).cloneNode(true).childNodes]);
    viewer.querySelector(".viewer__draft").hidden = card.dataset.engine !== "draft";
    tools(possible, subjectNow);
    stage.show(subjectNow, possible, same);
    const list = cards();
    const index = list.indexOf(card);
    part("previous").disabled = index <= 0;
    part("next").disabled = index < 0 || index >= list.length - 1;
    part("place").textContent = index < 0 ? "" : `${index + 1} of ${list.length}`;
    preload(list[index + 1]);
    gallery.tell("viewer:shown", shown);
  };

  // What is of use in this mode only.
  const tools = (now, { boxes }) => {
    part("blink").hidden = now !== "blink";
    part("boxes").hidden = !(boxes.length && now !== "sizes");
    part("zoom").hidden = now === "sizes";
    part("widths").hidden = now !== "sizes";
  };

  const step = (by) => {
    const list = cards();
    const next = list[list.indexOf(gallery.card(shown)) + by];
    if (!next) return;
    shown = next.dataset.target;
    draw();
  };

  const setMode = (value) => {
    const radio = radios("mode").find((one) => one.value === value);
    if (radio.disabled) return;
    mode = value;
    choose("mode", value);
    tools(value, subject(gallery.card(shown)));
    stage.set(value);
  };

  const open = (card) => {
    shown = card.dataset.target;
    choose("against", card.dataset.ref && card.dataset.ref !== card.dataset.now ? "ref" : "art");
    if (!viewer.open) viewer.showModal();
    draw();
    stage.element.focus({ preventScroll: true });
  };

  const look = () => gallery.load("data/plex", true).then((data) => { plex = data.targets; if (viewer.open) draw(true); }, () => {});
  document.addEventListener("gallery:plex", look);
  look();

  gallery.viewer = { open, get shown() { return viewer.open ? shown : null; } };

  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-open]");
    if (!opener || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const card = opener.dataset.open ? gallery.card(opener.dataset.open) : opener.closest("[data-card]");
    if (!card?.dataset.now) return;
    event.preventDefault();
    open(card);
  });

  const ACTS = {
    close: () => viewer.close(), previous: () => step(-1), next: () => step(1),
    fit: stage.fit, real: stage.toReal, in: () => stage.zoomBy(1.4), out: () => stage.zoomBy(1 / 1.4),
    blink: () => stage.blink(!stage.blinking), boxes: () => stage.next(1),
  };
  viewer.addEventListener("click", (event) => {
    const name = event.target.closest("button[data-viewer]")?.dataset.viewer;
    if (name in ACTS) ACTS[name]();
  });
  viewer.addEventListener("change", (event) => {
    if (event.target.name === "mode") setMode(event.target.value);
    if (event.target.name === "against") draw(true);
  });
  // Where an overlay was drawn: while pointed at, or for good by pressing.
  const spots = () => [...side.querySelectorAll("[data-box]")];
  const point = (button) => stage.point(button ? gallery.boxes(button.dataset.box)[0] ?? null : null);
  const pressed = () => spots().find((button) => button.getAttribute("aria-pressed") === "true");
  side.addEventListener("pointerover", (event) => point(event.target.closest("[data-box]") ?? pressed()));
  side.addEventListener("pointerleave", () => point(pressed()));
  side.addEventListener("click", (event) => {
    const button = event.target.closest("[data-box]");
    if (!button) return;
    const on = button.getAttribute("aria-pressed") !== "true";
    for (const one of spots()) one.setAttribute("aria-pressed", String(one === button && on));
    point(on ? button : null);
  });
  const width = part("widths").querySelector("input");
  width.addEventListener("input", () => { stage.resize(Number(width.value)); part("widths").querySelector("output").textContent = `${width.value} px`; });
  viewer.addEventListener("stage:placed", (event) => {
    const { percent, fitted, box, count } = event.detail;
    part("percent").textContent = `${percent} %`;
    part("fit").setAttribute("aria-pressed", String(fitted));
    part("real").setAttribute("aria-pressed", String(!fitted && percent === 100));
    part("boxes").querySelector("span").textContent = box < 0 ? (count === 1 ? "1 difference" : `${count} differences`) : `Difference ${box + 1} of ${count}`;
  });
  viewer.addEventListener("stage:differs", (event) => { part("boxes").hidden = event.detail === 0; });
  viewer.addEventListener("stage:blinking", (event) => { part("blink").querySelector("span").textContent = event.detail ? "Pause" : "Blink"; });
  viewer.addEventListener("close", () => {
    const last = gallery.card(shown);
    shown = null;
    stage.clear();
    side.replaceChildren();
    delete side.dataset.target;
    last?.closest("details:not([open])")?.setAttribute("open", "");
    last?.querySelector("a[data-open]")?.focus();
    gallery.tell("viewer:closed");
  });

  // A new picture of the open card came.
  document.addEventListener("gallery:patched", () => {
    if (!viewer.open || drawn === gallery.card(shown)?.dataset.key) return;
    draw(true);
    const card = gallery.card(shown);
    if (card) details(card);
  });

  const arrow = (dx, dy, by) => () => { if (stage.fitted || stage.mode === "sizes") { if (by) step(by); } else stage.pan(dx, dy); };
  const where = "Viewer";
  const ways = [["1", "pair", "Side by side"], ["2", "slider", "Slider"], ["3", "blink", "Blink"], ["4", "diff", "Differences"], ["5", "sizes", "Sizes, on light and dark"]];
  gallery.keys(
    { keys: ["ArrowLeft"], does: "Previous picture; while zoomed in, move", where, act: arrow(80, 0, -1) },
    { keys: ["ArrowRight"], does: "Next picture; while zoomed in, move", where, act: arrow(-80, 0, 1) },
    { keys: ["ArrowUp", "ArrowDown"], does: "While zoomed in, move", where, act: (event) => arrow(0, event.key === "ArrowUp" ? 80 : -80, 0)() },
    { keys: ["k"], does: "Previous picture", where, act: () => step(-1) },
    { keys: ["j"], does: "Next picture", where, act: () => step(1) },
    ...ways.map(([key, value, does]) => ({ keys: [key], does, where, act: () => setMode(value) })),
    { keys: ["n"], does: "Next difference", where, act: () => stage.next(1) },
    { keys: ["p"], does: "Difference before it", where, act: () => stage.next(-1) },
    { keys: [" "], does: "In blink: stop and go", where, when: () => stage.mode === "blink", act: ACTS.blink },
    { keys: ["b"], does: "In blink: the other picture", where, when: () => stage.mode === "blink", act: () => { stage.blink(false); stage.turn(); } },
    { keys: ["c"], does: "Compare with the reference, the bare art or what Plex shows", where, when: () => !part("against").hidden, act: () => {
      const names = radios("against").filter((radio) => !radio.parentElement.hidden).map((radio) => radio.value);
      choose("against", names[(names.indexOf(chosen("against")) + 1) % names.length]);
      draw(true);
    } },
    { keys: ["+", "="], show: ["+"], does: "Zoom in", where, act: ACTS.in },
    { keys: ["-"], does: "Zoom out", where, act: ACTS.out },
    { keys: ["0"], does: "Fit", where, act: ACTS.fit },
    { keys: ["z"], does: "Real pixels, and back", where, act: () => (stage.real ? stage.fit() : stage.toReal()) },
    { keys: ["Escape"], does: "Close", where, act: ACTS.close },
  );
}
