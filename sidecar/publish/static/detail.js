// What is known of a card's picture, for the viewer: from the data of its run, or, while that is in progress, of its own.
"use strict";
{
  const { base, make, percent, root } = gallery;
  const MOST = 50; // problems
  const icons = document.querySelector("[data-icons]");

  const icon = (name) => icons.content.querySelector(`[data-icon="${name}"]`).firstElementChild.cloneNode(true);
  const word = (text) => make("bdi", "", text);
  const plural = (count, one) => `${count} ${one}${count === 1 ? "" : "s"}`;

  const rows = (target, card) => {
    const list = make("dl", "sheet");
    const row = (name, ...content) => { const one = make("div", "", make("dt", "", name), make("dd", "", ...content)); list.append(one); return one; };
    const against = card.dataset.refName ?? "";
    if (card.dataset.engine === "draft") row("Engine", "Draft, not Kometa").className = "sheet__draft";
    row("Library", word(target.library));
    row("Rating key", String(target.rating_key), ...(target.server === "plex-0" ? [] : [" ", word(target.server)]));
    if (target.why) row("Chosen for", word(target.why));
    if (target.reason) row(target.state === "reused" ? "Reused, as" : "Rendered, as", word(target.reason));
    if (target.diff) {
      const { pixels, boxes } = target.diff;
      row(`Differs from ${against.toLowerCase()}`, target.diff.percent + (pixels ? `, ${plural(pixels, "pixel")} in ${plural(boxes.length, "place")}` : ""));
      if (target.threshold) row("Threshold", percent(target.threshold));
      if (target.ignored.length) row("Ignored", plural(target.ignored.length, "region"));
    }
    for (const [shot, name] of [[target.before, "Bare art"], [target.reference, against], [target.after, "This run"]]) {
      if (!shot) continue;
      const size = `${Math.max(1, Math.round(shot.bytes / 1000)).toLocaleString("en").replaceAll(",", "\u202f")} kB`;
      const link = make("a", "", shot.width ? `${shot.width} × ${shot.height}, ${size}` : size);
      link.href = base + shot.url;
      row(name, link);
    }
    return list;
  };

  // [[name, value], ...] of what a worker reported of an overlay, its name first; nested values stay out.
  const facts = (overlay) => {
    const given = Object.entries(overlay).filter(([, value]) => value !== null && value !== "");
    const plain = new Map(given.filter(([, value]) => typeof value !== "object"));
    const lists = given.filter(([, value]) => Array.isArray(value) && value.length).map(([key, value]) => [key, value.join(", ")]);
    const key = plain.has("name") ? "name" : "key";
    const name = plain.get(key) ?? "overlay";
    plain.delete(key);
    return [["name", String(name)], ...[...plain].map(([each, value]) => [each, String(value)]), ...lists];
  };

  const overlays = (title, list) => list.length === 0 ? [] : [make("h3", "", title), make("ol", `overlays${title === "Applied" ? "" : " overlays--out"}`, ...list.map((overlay) => {
    const [[, name], ...rest] = facts(overlay);
    const item = make("li", "", word(name));
    const lines = make("dl");
    for (const [key, value] of rest) {
      const spot = key === "box" && title === "Applied";
      const shown = spot ? make("button", "spot", value) : word(value);
      if (spot) { Object.assign(shown, { type: "button", title: "Show where" }); shown.dataset.box = value; shown.setAttribute("aria-pressed", "false"); }
      lines.append(make("div", "", make("dt", "", word(key.replaceAll("_", " "))), make("dd", "", shown)));
    }
    if (rest.length) item.append(lines);
    return item;
  }))];

  const problems = (list) => {
    const counted = new Map(); // equal ones once
    for (const problem of list) {
      const key = JSON.stringify([problem.severity, problem.what, problem.mend, problem.file, problem.line]);
      counted.set(key, { problem, times: (counted.get(key)?.times ?? 0) + 1 });
    }
    const order = ["error", "warning", "info"];
    const sorted = [...counted.values()].sort((one, other) => order.indexOf(one.problem.severity) - order.indexOf(other.problem.severity));
    if (!sorted.length) return [];
    const items = sorted.slice(0, MOST).map(({ problem, times }) => {
      const about = make("div", "", make("p", "problem__what", make("span", "sr-only", `${problem.severity}: `), word(problem.what)));
      const place = problem.file + (problem.file && problem.line ? `:${problem.line}` : "");
      const where = [...(place ? [make("code", "place", word(place))] : []), ...(times > 1 ? [make("span", "", `${times} times`)] : [])];
      if (where.length) about.append(make("p", "problem__where", ...where));
      if (problem.mend) about.append(make("p", "problem__mend", icon("mend"), word(problem.mend)));
      return make("li", `problem problem--${problem.severity}`, icon(problem.severity), about);
    });
    if (sorted.length > MOST) items.push(make("li", "problem", make("div", "", `${sorted.length - MOST} more in summary.json`)));
    return [make("h3", "", "Problems"), make("ul", "problems", ...items)];
  };

  const draw = (target, card) => {
    const link = make("a", "", icon("clock"), "Timeline");
    link.href = `${base}timeline.html?target=${encodeURIComponent(target.id)}`;
    return [rows(target, card), make("p", "side__links", link), ...overlays("Applied", target.overlays), ...overlays("Left out", target.left_out), ...problems(target.problems)];
  };

  const ofRun = async (run, card) => {
    const find = async (anew) => {
      const data = await gallery.load(`runs/${run}/data`, anew);
      return "reviewed" in card.dataset && !data.reviewed && !anew ? find(true) : data.targets.find((target) => target.id === card.dataset.target);
    };
    return find(false);
  };

  // Promise of the elements that tell of the card's picture; fails where nothing is kept of it.
  gallery.detail = async (card) => {
    const own = card.querySelector("[data-detail]");
    if (own) return [own.content.cloneNode(true)];
    const run = gallery.runOf(card);
    const target = run === root.dataset.run ? await ofRun(run, card) : await gallery.load(`cards/${card.dataset.target}`, true).catch(() => ofRun(run, card));
    if (!target) throw new Error("Nothing is kept of this picture.");
    return draw(target, card);
  };
}
