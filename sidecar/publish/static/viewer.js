// The big view: before and after side by side or under a slider, fitted or at full size, card after card.
"use strict";
{
  const viewer = document.getElementById("viewer");
  const stage = viewer.querySelector("[data-stage]");
  const side = viewer.querySelector("[data-side]");
  const title = document.getElementById("viewer-title");
  const narrow = matchMedia("(max-width: 640px)");
  let shown = null; // data-target of the open card
  let chose = false; // whether the reader picked a mode

  const cards = () => [...document.querySelectorAll("[data-card]:not([hidden])")].filter((card) => card.querySelector("[data-open]"));
  const card = (target) => document.getElementById(`t-${target}`);
  const chosen = (name) => viewer.querySelector(`input[name=${name}]:checked`).value;

  const picture = (small, href, className) => {
    const image = new Image();
    image.className = `shot ${className}`;
    image.alt = small.alt;
    image.draggable = false;
    if (small.hasAttribute("width")) {
      image.width = Number(small.getAttribute("width"));
      image.height = Number(small.getAttribute("height"));
    }
    const measure = () => image.style.setProperty("--tall", String(image.naturalHeight / image.naturalWidth || 1.5));
    image.style.setProperty("--tall", image.width && image.height ? String(image.height / image.width) : "1.5");
    image.addEventListener("load", measure);
    image.src = href;
    return image;
  };

  const figure = (content, caption) => {
    const box = document.createElement("figure");
    const words = document.createElement("figcaption");
    words.textContent = caption;
    box.append(content, words);
    return box;
  };

  const framed = (...content) => {
    const frame = document.createElement("div");
    frame.className = "frame";
    frame.append(...content);
    return frame;
  };

  const draw = () => {
    const from = card(shown);
    if (!from) return viewer.close();
    const detail = from.querySelector("[data-detail]").content;
    const full = (name) => detail.querySelector(`[data-full=${name}]`)?.getAttribute("href");
    const small = (name) => from.querySelector(`.shot--${name}`);
    const both = full("before") && full("after");
    const old = stage.querySelector("[data-compare]");
    const kept = old && stage.dataset.target === shown ? parseFloat(old.style.getPropertyValue("--pos")) : NaN;
    const plate = document.createElement("div");
    plate.className = "plate";

    if (both && chosen("mode") === "pair") {
      plate.append(
        figure(framed(picture(small("before"), full("before"), "shot--only")), "Before"),
        figure(framed(picture(small("after"), full("after"), "shot--only")), from.dataset.engine === "draft" ? "After (draft)" : "After"),
      );
    } else if (both) {
      plate.classList.add("plate--one");
      const frame = framed(
        picture(small("after"), full("after"), "shot--after"),
        picture(small("before"), full("before"), "shot--before"),
        from.querySelector(".divider").cloneNode(true),
        ...[...from.querySelectorAll(".side")].map((label) => label.cloneNode(true)),
      );
      frame.dataset.compare = "";
      plate.append(frame);
    } else {
      const name = full("after") ? "after" : "before";
      plate.classList.add("plate--one");
      plate.append(figure(framed(picture(small(name), full(name), "shot--only")), name === "after" ? "After" : "Before"));
    }

    stage.replaceChildren(plate);
    stage.dataset.target = shown;
    stage.dataset.key = from.dataset.key;
    const frame = plate.querySelector("[data-compare]");
    if (frame) frame.dispatchEvent(new CustomEvent("compare:place", { bubbles: true, detail: Number.isNaN(kept) ? 50 : kept }));
    side.replaceChildren(detail.cloneNode(true));
    title.replaceChildren(...[...(from.querySelector(".name a") ?? from.querySelector(".name")).cloneNode(true).childNodes]);
    viewer.querySelector(".viewer__draft").hidden = from.dataset.engine !== "draft";
    viewer.querySelector("[data-viewer-mode]").hidden = !both;
    viewer.dataset.size = chosen("size");
    const list = cards();
    const index = list.indexOf(from);
    viewer.querySelector("[data-viewer=previous]").disabled = index <= 0;
    viewer.querySelector("[data-viewer=next]").disabled = index < 0 || index >= list.length - 1;
  };

  const step = (by) => {
    const list = cards();
    const next = list[list.indexOf(card(shown)) + by];
    if (!next) return;
    shown = next.dataset.target;
    draw();
  };

  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-open]");
    if (!opener || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    shown = opener.closest("[data-card]").dataset.target;
    if (!chose) viewer.querySelector(`input[name=mode][value=${narrow.matches ? "slider" : "pair"}]`).checked = true;
    viewer.showModal();
    draw();
    stage.focus();
  });

  viewer.addEventListener("click", (event) => {
    const action = event.target.closest("[data-viewer]")?.dataset.viewer;
    if (action === "close") viewer.close();
    if (action === "previous") step(-1);
    if (action === "next") step(1);
  });
  viewer.addEventListener("change", (event) => {
    if (event.target.name === "mode") chose = true;
    draw();
  });
  viewer.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.target.matches("input, [role=slider]") || chosen("size") === "full") return;
    if (event.key === "ArrowLeft") step(-1);
    if (event.key === "ArrowRight") step(1);
  });
  viewer.addEventListener("close", () => {
    const last = card(shown);
    shown = null;
    stage.replaceChildren();
    side.replaceChildren();
    last?.querySelector("a[data-open]")?.focus();
  });

  // A new picture of the open card came.
  document.addEventListener("gallery:patched", () => { if (viewer.open && stage.dataset.key !== card(shown)?.dataset.key) draw(); });
}
