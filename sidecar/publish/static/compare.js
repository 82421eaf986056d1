// Any two runs against each other: ?a=RUN&b=RUN. Pairs their targets; equal bytes are equal pictures. The viewer's
// "Differences" lets the browser compare, since nobody compared these two before.
"use strict";
{
  const { make, base } = gallery;
  const form = document.querySelector("[data-versus]");
  const problem = document.querySelector("[data-problem]");
  const result = document.querySelector("[data-result]");
  const template = document.querySelector("[data-card-template]");
  const chevron = document.querySelector("[data-chevron]");
  const given = new URLSearchParams(location.search);
  const SHAPES = { episode: "wide", artist: "square", album: "square" };
  const ORDER = ["changed", "new", "gone", "unchanged"];
  const TITLES = { changed: "Different", new: "Only in the second", gone: "Only in the first", unchanged: "Equal" };

  const name = (run) => {
    const when = new Date(run.started).toLocaleString(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" });
    const files = run.edit?.files.length ? `, ${run.edit.files.join(", ").slice(0, 60)}` : "";
    return `${when}${run.engine && run.engine !== "kometa" ? ", draft" : ""}${files}`;
  };

  const status = (before, after) => {
    if (!before?.shown) return "new";
    if (!after?.shown) return "gone";
    return before.shown.sha256 === after.shown.sha256 ? "unchanged" : "changed";
  };

  const isDraft = ({ engine }) => Boolean(engine) && engine.kind !== "kometa";

  const card = ({ id, before, after, word }, [first, second]) => {
    const target = after ?? before;
    const shot = after?.shown ?? before.shown;
    const reference = before?.shown;
    const draft = isDraft(after?.shown ? second : first);
    const of = isDraft(first) ? ", draft" : "";
    const made = template.content.firstElementChild.cloneNode(true);
    const wide = shot.width && shot.height ? (shot.width > shot.height ? "wide" : "poster") : SHAPES[target.level] ?? "poster";
    made.id = `t-${id}`;
    made.classList.add(`card--${wide}`, `is-${word}`);
    Object.assign(made.dataset, { target: id, run: second.run, key: `${reference?.sha256} ${shot.sha256}`, status: word, level: target.level, library: target.library, now: base + shot.url, sha: shot.sha256, engine: draft ? "draft" : "kometa" });
    if (shot.width && shot.height) made.dataset.size = `${shot.width}x${shot.height}`;
    const frame = made.querySelector(".frame");
    const [now, old] = frame.querySelectorAll(".shot");
    Object.assign(now, { src: base + shot.thumb, alt: `${target.label}, ${after?.shown ? "after" : "before"}${draft ? ", draft" : ""}` });
    made.classList.toggle("is-draft", draft);
    if (draft) frame.after(make("p", "stamp stamp--band", "Draft", make("span", "sr-only", ", not Kometa’s picture")));
    if (word === "changed") {
      Object.assign(made.dataset, { ref: base + reference.url, refName: of ? "Before (draft)" : "Before", ignored: (after.ignored ?? []).map((box) => box.join(",")).join(";") });
      Object.assign(old, { src: base + reference.thumb, alt: `${target.label}, before${of}` });
      frame.dataset.compare = "";
      frame.querySelector("[role=slider]").setAttribute("aria-label", `Before and after: ${target.label}`);
    } else {
      for (const part of frame.querySelectorAll(".shot--before, .divider, .side")) part.remove();
    }
    const link = made.querySelector("a[data-open]");
    link.href = base + shot.url;
    link.append(make("bdi", "", target.label));
    made.setAttribute("aria-labelledby", `n-${id}`);
    made.querySelector(".name").id = `n-${id}`;
    made.querySelector(".meta").append(make("bdi", "", target.library));
    const detail = made.querySelector("[data-detail]").content;
    const rows = make("dl", "sheet");
    for (const [what, side] of [["Before", before], ["After", after]]) {
      const names = (side?.overlays ?? []).map((overlay) => String(overlay.name ?? ""));
      rows.append(make("div", "", make("dt", "", what), make("dd", "", make("bdi", "", side?.shown ? names.join(", ") || "no overlay reported" : "no picture"))));
    }
    const past = make("a", "", "Timeline");
    past.href = `${base}timeline.html?target=${encodeURIComponent(id)}`;
    detail.append(rows, make("p", "side__links", past));
    return made;
  };

  const section = (word, pairs, runs, alone) => {
    const grid = (list) => make("div", `grid grid--${(list[0].after ?? list[0].before).level}`, ...list.map((pair) => card(pair, runs)));
    const wide = (pair) => (pair.after ?? pair.before).level === "episode";
    const rows = [pairs.filter((pair) => !wide(pair)), pairs.filter(wide)].filter((list) => list.length);
    const box = make("details", `section section--${word}`, make("summary", "", chevron.content.cloneNode(true), make("h2", "", TITLES[word]), make("span", "count", String(pairs.length))));
    for (const list of rows) box.append(make("h3", "sr-only", wide(list[0]) ? "Episodes" : "Posters"), grid(list));
    box.open = word !== "unchanged" || alone;
    return box;
  };

  let asked = 0;
  const draw = async () => {
    const turn = (asked += 1);
    const ids = [form.elements.a.value, form.elements.b.value];
    result.replaceChildren();
    problem.textContent = "";
    try {
      const runs = await Promise.all(ids.map((id) => gallery.load(`runs/${id}/data`)));
      if (turn !== asked) return; // another pair was chosen meanwhile
      const [first, second] = runs.map((run) => new Map(run.targets.map((target) => [target.id, target])));
      const pairs = [...new Set([...second.keys(), ...first.keys()])].map((id) => ({ id, before: first.get(id), after: second.get(id) }))
        .filter((pair) => pair.before?.shown || pair.after?.shown).map((pair) => ({ ...pair, word: status(pair.before, pair.after) }));
      const kinds = ORDER.map((word) => [word, pairs.filter((pair) => pair.word === word)]).filter(([, list]) => list.length);
      result.replaceChildren(...kinds.map(([word, list]) => section(word, list, runs, kinds.length === 1)));
      const changed = kinds.find(([word]) => word === "changed")?.[1].length ?? 0;
      document.querySelector("[data-sum]").textContent = `${changed} of ${pairs.length} ${pairs.length === 1 ? "picture differs" : "pictures differ"}`;
      gallery.address(`?a=${encodeURIComponent(ids[0])}&b=${encodeURIComponent(ids[1])}`);
    } catch (error) {
      problem.textContent = `These runs cannot be compared: ${error.message}`;
    }
  };

  const begin = ({ runs }) => {
    const kept = runs.filter((run) => run.data && (run.rendered || run.state === "done"));
    if (kept.length < 2) { problem.textContent = "There are no two runs with pictures yet."; return; }
    for (const letter of ["a", "b"]) {
      form.elements[letter].replaceChildren(...kept.map((run) => { const option = make("option", "", name(run)); option.value = run.run; return option; }));
    }
    const known = (id) => kept.some((run) => run.run === id);
    const second = known(given.get("b")) ? given.get("b") : kept[0].run;
    const at = kept.findIndex((run) => run.run === second);
    const first = known(given.get("a")) ? given.get("a") : (kept[at + 1] ?? kept[0]).run;
    form.elements.a.value = first;
    form.elements.b.value = second;
    form.hidden = false;
    draw();
  };

  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", draw);
  form.querySelector("[data-swap]").addEventListener("click", () => {
    const { a, b } = form.elements;
    [a.value, b.value] = [b.value, a.value];
    draw();
  });
  gallery.load("data/runs").then(begin).catch((error) => { problem.textContent = `The list of runs cannot be read: ${error.message}`; });
}
