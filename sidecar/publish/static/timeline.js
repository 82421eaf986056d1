// One target's past pictures, one after another, each with the edit that made it: ?target=ID.
"use strict";
{
  const { make, base, verdicts } = gallery;
  const page = document.querySelector("[data-timeline]");
  const problem = document.querySelector("[data-problem]");
  const frame = page.querySelector("[data-frame]");
  const scrub = page.querySelector("[data-scrub]");
  const list = page.querySelector("[data-moments]");
  const about = page.querySelector("[data-moment]");
  const both = page.querySelector("[data-with-previous]");
  const target = new URLSearchParams(location.search).get("target") ?? "";
  let moments = []; // oldest first: to the right is later
  let label = "";

  const when = (instant) => { const time = make("time", "", instant); time.dateTime = instant; return time; };
  const word = (text) => { const bdi = make("bdi", "", text); return bdi; };
  const paths = ({ files, more }) => files.join(", ") + (more ? ` and ${more} more` : "");

  const isDraft = ({ engine }) => Boolean(engine) && engine !== "kometa";
  const draftMark = () => make("span", "state state--draft", "Draft");

  const image = (moment, className, words) => {
    const shot = new Image();
    shot.className = `shot ${className}`;
    shot.alt = `${label}, ${words}${isDraft(moment) ? ", draft" : ""}`;
    shot.draggable = false;
    shot.src = base + moment.shot.url;
    return shot;
  };

  const show = (index, quiet = false) => {
    const moment = moments[index];
    const previous = both.checked ? moments[index - 1] : null;
    const pos = parseFloat(frame.style.getPropertyValue("--pos")) || 50;
    scrub.value = String(index);
    scrub.setAttribute("aria-valuetext", `Picture ${index + 1} of ${moments.length}`);
    page.querySelector("[data-older]").disabled = index === 0;
    page.querySelector("[data-newer]").disabled = index === moments.length - 1;
    both.closest("label").hidden = index === 0;
    frame.style.aspectRatio = moment.shot.width && moment.shot.height ? `${moment.shot.width} / ${moment.shot.height}` : "";
    if (previous) {
      const divider = make("div", "divider", make("span", "grip"));
      for (const [name, value] of Object.entries({ role: "slider", tabindex: "0", "aria-label": "The picture before it and this one", "aria-orientation": "horizontal", "aria-valuemin": "0", "aria-valuemax": "100" })) divider.setAttribute(name, value);
      frame.dataset.compare = "";
      frame.replaceChildren(image(moment, "shot--after", `picture ${index + 1}`), image(previous, "shot--before", `picture ${index}`), divider);
      gallery.tell("compare:place", pos, frame);
    } else {
      delete frame.dataset.compare;
      frame.classList.remove("is-split", "is-before");
      frame.replaceChildren(image(moment, "shot--only", `picture ${index + 1}`));
    }
    about.replaceChildren(make("h2", "", `Picture ${index + 1} of ${moments.length}`), facts(moment));
    for (const [at, item] of [...list.children].entries()) {
      const here = moments.length - 1 - at === index;
      item.classList.toggle("is-here", here);
      if (here) item.querySelector("button").setAttribute("aria-current", "true");
      else item.querySelector("button").removeAttribute("aria-current");
    }
    gallery.tell("gallery:patched");
    for (const near of [moments[index - 1], moments[index + 1]]) if (near) new Image().src = base + near.shot.url;
    if (!quiet) gallery.address(`?target=${encodeURIComponent(target)}#${moment.run}`);
  };

  const facts = (moment) => {
    const rows = make("dl", "sheet");
    const row = (name, ...content) => rows.append(make("div", "", make("dt", "", name), make("dd", "", ...content)));
    const link = make("a", "", when(moment.started));
    link.href = base + moment.page;
    row("First in the run of", ...(moment.page ? [link] : [when(moment.started)]));
    if (isDraft(moment)) row("Drawn by", draftMark(), " not Kometa");
    if (moment.revision) row("Revision", make("code", "", moment.revision.slice(0, 12)));
    if (moment.edit) {
      const files = make("ul");
      for (const path of moment.edit.files) files.append(make("li", "", make("code", "", word(path))));
      if (moment.edit.more) files.append(make("li", "", `${moment.edit.more} more`));
      row("Edited", files, make("span", "added", `+${moment.edit.added}`), " ", make("span", "removed", `−${moment.edit.removed}`));
    }
    for (const decision of moment.decisions) {
      row(decision.undone ? `${verdicts.NAMES[decision.verdict]}, undone` : verdicts.NAMES[decision.verdict], word(decision.who), " ", when(decision.at));
    }
    row("File", `${moment.shot.width ?? "?"} × ${moment.shot.height ?? "?"}, ${Math.max(1, Math.round(moment.shot.bytes / 1000))} kB`);
    return rows;
  };

  const item = (moment, index) => {
    const thumb = new Image();
    Object.assign(thumb, { loading: "lazy", decoding: "async", alt: "", src: base + moment.shot.thumb, className: "mini" });
    const counts = moment.decisions.filter((decision) => !decision.undone).at(0);
    const words = make("span", "moments__words", when(moment.started), make("span", "moments__edit", word(moment.edit ? paths(moment.edit) : "")));
    if (isDraft(moment)) words.append(draftMark());
    if (counts) words.append(make("span", `state state--${counts.verdict}`, verdicts.NAMES[counts.verdict]));
    const button = make("button", "", thumb, words);
    button.type = "button";
    button.addEventListener("click", () => show(index));
    return make("li", "", button);
  };

  const begin = (data) => {
    moments = data.moments.filter((moment) => moment.shot).reverse();
    label = data.target.label;
    document.getElementById("timeline-title").replaceChildren(word(label));
    document.querySelector("[data-about]").replaceChildren(word(data.target.library), make("span", "", moments.length === 1 ? "one picture so far" : `${moments.length} pictures`));
    document.title = `${label} · Timeline · kometa-sidecar`;
    if (!moments.length) throw new Error("There is no picture of it yet.");
    list.replaceChildren(...moments.map(item).reverse());
    scrub.max = String(moments.length - 1);
    page.hidden = false;
    problem.hidden = true;
    const wanted = moments.findIndex((moment) => `#${moment.run}` === location.hash);
    show(wanted < 0 ? moments.length - 1 : wanted, true);
  };

  const step = (by) => show(Math.min(Math.max(Number(scrub.value) + by, 0), moments.length - 1));
  scrub.addEventListener("input", () => show(Number(scrub.value)));
  both.addEventListener("change", () => show(Number(scrub.value), true));
  page.querySelector("[data-older]").addEventListener("click", () => step(-1));
  page.querySelector("[data-newer]").addEventListener("click", () => step(1));
  gallery.keys(
    { keys: ["ArrowLeft", "k"], does: "Older picture", where: "Page", when: () => !page.hidden, act: () => step(-1) },
    { keys: ["ArrowRight", "j"], does: "Newer picture", where: "Page", when: () => !page.hidden, act: () => step(1) },
    { keys: ["c"], does: "Compare with the picture before it", where: "Page", when: () => !page.hidden, act: () => both.click() },
  );

  // The name becomes part of a path: nothing but what targets are called.
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(target)) problem.textContent = "No target is named. Open a timeline from a picture’s details.";
  else gallery.load(`data/targets/${target}`).then(begin).catch((error) => { problem.textContent = error.message.endsWith("cannot be read") ? "Nothing is kept of this target." : error.message; });
}
