// Keeps the open page true while the daemon runs: cards are exchanged one by one as their pictures come, the parts around
// them when they change. Slider positions, opened folds, the focus and the place on the page stay. Without a daemon (a plain
// file server, file://) nothing here acts, and the page is what it was when it was published.
"use strict";
{
  const { root, base } = gallery;
  const pulse = document.getElementById("pulse");
  const pictures = document.getElementById("pictures");
  const PATIENCE = 4000; // ms that a new picture may take to load before its card is shown anyway

  const html = (text) => new DOMParser().parseFromString(text, "text/html");
  const patched = () => document.dispatchEvent(new CustomEvent("gallery:patched"));
  const wait = (ms) => new Promise((done) => { setTimeout(done, ms); });

  const fetchText = async (url) => {
    const answer = await fetch(url, { cache: "no-cache", redirect: "error" });
    if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
    return answer.text();
  };

  // ── Cards ────────────────────────────────────────────────────────────────────────────────────────────

  const source = (card) => card?.querySelector(".shot--after")?.getAttribute("src") ?? null;

  const loaded = (card) => {
    const urls = [...card.querySelectorAll(".shot")].map((image) => image.getAttribute("src"));
    const loads = urls.map((url) => { const image = new Image(); image.src = url; return image.decode().catch(() => {}); });
    return Promise.race([Promise.all(loads), wait(PATIENCE)]);
  };

  // A card that comes by itself knows its row by the one it takes the place of.
  const dressed = (card, old) => {
    for (const about of ["library", "level"]) card.dataset[about] ??= old.dataset[about];
    gallery.dress(card, true);
  };

  const exchange = async (old, fresh) => {
    const card = document.importNode(fresh, true);
    dressed(card, old);
    const isNew = source(card) !== null && source(card) !== source(old);
    if (isNew) await loaded(card); // also where only the small picture is another: nothing flickers
    if (!old.isConnected) return;
    for (const image of card.querySelectorAll(".shot")) image.loading = "eager"; // decoded above: show it with the card
    const frame = card.querySelector("[data-compare]");
    const from = old.querySelector("[data-compare]");
    const focus = old.contains(document.activeElement) ? document.activeElement : null;
    const selector = focus?.matches("[role=slider]") ? "[role=slider]" : focus?.matches("a[data-open]") ? "a[data-open]" : null;
    card.hidden = old.hidden;
    old.replaceWith(card);
    if (frame && from) frame.dispatchEvent(new CustomEvent("compare:place", { bubbles: true, detail: parseFloat(from.style.getPropertyValue("--pos")) || 0 }));
    else card.dispatchEvent(new CustomEvent("card:added", { bubbles: true }));
    if (selector) card.querySelector(selector)?.focus({ preventScroll: true });
    if (isNew && card.dataset.sha !== old.dataset.sha) card.classList.add("is-new");
  };

  const cardPatch = async (target) => {
    const fresh = html(await fetchText(`${base}cards/${encodeURIComponent(target)}.html`)).querySelector("[data-card]");
    const old = document.getElementById(`t-${target}`);
    if (!old) return sync();
    if (fresh && fresh.dataset.key !== old.dataset.key) await exchange(old, fresh);
    count();
    return patched();
  };

  // Only told by events: put back when its part of the page is exchanged.
  let phase = "";
  const tellPhase = () => { const text = document.querySelector("[data-phase]"); if (text) text.textContent = phase; };
  document.addEventListener("gallery:patched", tellPhase);

  const count = () => {
    const bar = document.querySelector("[data-progress]");
    if (!bar) return;
    const cards = [...pictures.querySelectorAll("[data-card]")];
    const done = cards.filter((card) => card.dataset.run === bar.dataset.run && card.dataset.status !== "waiting").length;
    if (!cards.length) return;
    bar.querySelector("[data-count]").textContent = `${done} of ${cards.length}`;
    Object.assign(bar.querySelector("progress"), { max: cards.length, value: done });
  };

  // ── The page ─────────────────────────────────────────────────────────────────────────────────────────

  // What the server sent for each part: the page's scripts change times and folds, so the live DOM cannot be compared.
  const regions = new Map([...document.querySelectorAll("[data-region]")].map((part) => [part.id, part.innerHTML]));

  const region = (fresh) => {
    const old = document.getElementById(fresh.id);
    if (!old || regions.get(fresh.id) === fresh.innerHTML) return;
    const folds = new Map([...old.querySelectorAll("details[id]")].map((fold) => [fold.id, fold.open]));
    const focused = old.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    regions.set(fresh.id, fresh.innerHTML);
    old.replaceChildren(...document.importNode(fresh, true).childNodes);
    for (const [id, open] of folds) { const fold = document.getElementById(id); if (fold) fold.open = open; }
    if (focused) [...old.querySelectorAll("a")].find((link) => link.getAttribute("href") === focused)?.focus({ preventScroll: true });
  };

  // What stands where: rows and groups by what they say, cards by their targets.
  const shape = (part) => [...part.querySelectorAll("[data-group], [data-card]")].map((element) => (element.dataset.group
    ? `${element.dataset.group} ${element.querySelector(".group__head").textContent}` : `${element.closest("[data-row]").dataset.row} ${element.id}`)).join("\n");

  const whole = async () => {
    const page = html(await fetchText(`${base}index.html`));
    if (page.documentElement.dataset.build !== root.dataset.build) return location.reload(); // other style sheets and scripts
    for (const part of page.querySelectorAll("[data-region]")) region(part);
    const fresh = page.getElementById("pictures");
    const { run } = page.documentElement.dataset;
    for (const card of fresh.querySelectorAll("[data-card]")) card.dataset.run ??= run; // what is decided meanwhile is of its own run
    if (shape(fresh) === shape(pictures) && shape(fresh)) {
      await Promise.all([...fresh.querySelectorAll("[data-card]")].map((card) => {
        const old = document.getElementById(card.id);
        return old && old.dataset.key !== card.dataset.key ? exchange(old, card) : null;
      }));
    } else {
      // Other cards or another order: new shelves, into which the cards that did not change move as they are.
      const next = document.importNode(fresh, true);
      for (const card of next.querySelectorAll("[data-card]")) {
        const old = document.getElementById(card.id);
        if (old?.dataset.key === card.dataset.key) card.replaceWith(old);
      }
      const folds = new Map([...pictures.querySelectorAll("details[id]")].map((fold) => [fold.id, fold]));
      pictures.replaceChildren(...next.childNodes);
      for (const fold of pictures.querySelectorAll("details[id]")) {
        const old = folds.get(fold.id);
        if (old) fold.open = old.dataset.was === undefined ? old.open : old.dataset.was === "true";
      }
      for (const card of gallery.cards()) gallery.dress(card);
    }
    root.dataset.run = run;
    for (const card of gallery.cards()) if (card.dataset.run === run) delete card.dataset.run; // from now on the page says it
    document.title = page.title;
    return patched();
  };

  // One fetch at a time; what comes meanwhile is one more fetch after it.
  const once = (work) => {
    let running = null;
    let again = false;
    return () => {
      if (running) { again = true; return running; }
      running = (async () => {
        do { again = false; await work(); } while (again);
      })().catch((error) => console.warn("gallery:", error.message)).finally(() => { running = null; });
      return running;
    };
  };
  const sync = once(whole);

  // ── Events ───────────────────────────────────────────────────────────────────────────────────────────

  const say = (state, words) => {
    pulse.hidden = false;
    pulse.dataset.pulse = state;
    pulse.querySelector("[data-pulse-text]").textContent = gallery.visible(words);
  };

  const patches = new Map();
  const patch = (target) => {
    if (!patches.has(target)) patches.set(target, once(() => cardPatch(target)));
    patches.get(target)();
  };

  const on = {
    "picture": (data) => patch(String(data.target)),
    "run.phase": (data) => { phase = gallery.visible(data.name ?? ""); tellPhase(); },
    "run.started": () => { phase = ""; sync(); },
    "run.ended": async () => { await sync(); gallery.announce(document.querySelector("h1").textContent); },
    "run.reviewed": sync,
    "decided": sync,
    "plex.shown": () => gallery.tell("gallery:plex"),
    "health": sync,
    "reload": sync,
  };

  const render = () => {
    const button = document.getElementById("render-now");
    button.hidden = false;
    button.addEventListener("click", async () => {
      button.disabled = true;
      try {
        const answer = await fetch(`${base}api/v1/render`, { method: "POST" });
        if (!answer.ok) say("lost", (await answer.json()).error.message);
      } catch {
        say("lost", "The daemon does not answer");
      }
      await wait(800);
      button.disabled = false;
    });
  };

  let met = false; // whether a daemon ever answered
  const connect = (pause) => {
    const events = new EventSource(`${base}api/v1/events`);
    events.onopen = () => {
      if (!met) render();
      met = true;
      gallery.tell("daemon:answers");
      pause = 1000;
      say("live", "Live");
      sync(); // what happened between the page's publication and now
    };
    events.onerror = () => {
      if (met) say("lost", "Reconnecting");
      if (events.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
      events.close();
      if (met) setTimeout(connect, pause, Math.min(pause * 2, 30000));
    };
    for (const [kind, act] of Object.entries(on)) {
      events.addEventListener(kind, (event) => act(JSON.parse(event.data)));
    }
  };

  // When all scripts have run: one that comes late would never hear that the daemon answers.
  if (gallery.served && gallery.kind === "index") document.addEventListener("DOMContentLoaded", () => connect(1000), { once: true });
}
