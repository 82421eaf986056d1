// What all cards show (after, split, before) and which cards are there (all, changed, with trouble).
"use strict";
{
  const controls = document.getElementById("controls");
  const pictures = document.getElementById("pictures");
  const PLACES = { after: 0, split: 50, before: 100 };
  const FITS = {
    all: () => true,
    changed: (card) => card.dataset.status === "changed",
    troubled: (card) => "troubled" in card.dataset,
  };

  const chosen = (name) => controls.querySelector(`input[name=${name}]:checked`).value;
  const cards = () => [...pictures.querySelectorAll("[data-card]")];

  const filter = () => {
    const fits = FITS[chosen("filter")];
    const all = cards();
    for (const card of all) card.hidden = !fits(card);
    for (const part of pictures.querySelectorAll("[data-row], [data-shelf]")) part.hidden = !part.querySelector("[data-card]:not([hidden])");
    for (const [name, fit] of Object.entries(FITS)) controls.querySelector(`[data-total=${name}]`).textContent = String(all.filter(fit).length);
    document.getElementById("none").hidden = all.length === 0 || all.some((card) => !card.hidden);
    controls.hidden = all.length === 0;
  };

  const view = (frames) => {
    for (const frame of frames) frame.dispatchEvent(new CustomEvent("compare:place", { bubbles: true, detail: PLACES[chosen("view")] }));
  };

  if (controls) {
    controls.addEventListener("change", (event) => {
      if (event.target.name === "filter") filter();
      if (event.target.name === "view") view(pictures.querySelectorAll("[data-compare]"));
    });
    document.addEventListener("gallery:patched", filter);
    document.addEventListener("card:added", (event) => view(event.target.querySelectorAll("[data-compare]")));
    filter();
    if (chosen("view") !== "after") view(pictures.querySelectorAll("[data-compare]")); // the browser kept the choice over a reload
  }
}
