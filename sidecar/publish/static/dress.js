// Cards come short: a page may have hundreds. This says in full what their markup says in short, and, for those that come into
// sight, adds what only scripts use: the picture from before with its divider, and the button that opens the viewer.
"use strict";
{
  const { base, make } = gallery;
  const template = document.querySelector("[data-expand]");

  const divider = (label) => {
    const line = make("div", "divider", make("span", "grip"));
    for (const [name, value] of Object.entries({ role: "slider", tabindex: "0", "aria-label": `Before and after: ${label}`, "aria-orientation": "horizontal", "aria-valuemin": "0", "aria-valuemax": "100", "aria-valuenow": "0", "aria-valuetext": "After only" })) line.setAttribute(name, value);
    return line;
  };

  const side = (words) => {
    const element = make("span", `side side--${words.toLowerCase()}`, words);
    element.setAttribute("aria-hidden", "true");
    return element;
  };

  const shot = (kind, src, alt) => Object.assign(new Image(), { className: `shot shot--${kind}`, alt, loading: "lazy", decoding: "async", draggable: false, src });

  // The small picture of a file below img/ of this size, as the gallery names it.
  const thumb = (file, [width, height]) => `${base}thumbs/${file.split(".")[0]}-${width > height ? 720 : 480}.webp`;

  // What the card says, for the other scripts: data-now and its like are URLs, data-sha is what is decided of.
  const tell = (card) => {
    const { dataset } = card;
    const row = card.closest("[data-row]");
    const link = card.querySelector("a[data-open]");
    const picture = card.querySelector(".shot");
    dataset.target = card.id.slice(2);
    dataset.library ??= row?.dataset.library ?? "";
    dataset.level ??= row?.dataset.level ?? "";
    dataset.engine = card.classList.contains("is-draft") ? "draft" : "kometa";
    const name = card.querySelector(".name");
    name.id = `n-${dataset.target}`;
    card.setAttribute("aria-labelledby", name.id);
    if (!link) return;
    dataset.now = link.getAttribute("href");
    const own = dataset.now.split("/").at(-1);
    dataset.sha = own.split(".")[0];
    if (picture?.hasAttribute("width")) dataset.size = `${picture.getAttribute("width")}x${picture.getAttribute("height")}`;
    const size = (dataset.size ?? "").split("x").map(Number);
    dataset.thumb = picture?.getAttribute("src") ?? thumb(own, size);
    for (const part of ["art", "ref", "mask"]) {
      const file = dataset[part];
      if (!file) continue;
      const given = dataset[`${part}Thumb`];
      dataset[part] = file === "=" ? dataset.now : `${base}img/${file}`;
      if (part !== "mask") dataset[`${part}Thumb`] = file === "=" ? dataset.thumb : given ? base + given : thumb(file, size);
    }
    if (dataset.ref) dataset.refName = "previous" in dataset ? "Previous run" : "Baseline";
  };

  const furnish = (card) => {
    const { dataset } = card;
    if (!dataset.now || card.querySelector(".expand")) return;
    const frame = card.querySelector(".frame");
    let picture = frame.querySelector(".shot");
    const label = picture ? picture.alt.replace(/ with(out)? overlays(, draft)?$/, "") : card.querySelector(".name").textContent.trim();
    const bare = dataset.art === dataset.now && dataset.status === "untouched";
    if (!picture) {
      picture = shot(bare ? "before" : "after", dataset.thumb, `${label} with${bare ? "out" : ""} overlays${dataset.engine === "draft" ? ", draft" : ""}`);
      frame.append(picture);
    }
    Object.assign(picture, { decoding: "async", draggable: false });
    if (dataset.art && picture.matches(".shot--after")) {
      frame.append(shot("before", dataset.artThumb, `${label} without overlays`), divider(label), side("Before"), side("After"));
      frame.dataset.compare = "";
    }
    card.querySelector(".caption").prepend(template.content.cloneNode(true));
    gallery.tell("card:added", null, card);
  };

  const sight = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      sight.unobserve(target);
      furnish(target);
    }
  }, { rootMargin: "100% 0px" }); // one screen ahead

  // For each card once. `now`: it is about to be shown, whether in sight or not.
  gallery.dress = (card, now = false) => {
    if (card.dataset.target === undefined) tell(card);
    if (now) furnish(card);
    else sight.observe(card);
  };

  for (const card of gallery.cards()) gallery.dress(card);
}
