// What was decided by now, on pages that never change: a run's own page, the timeline, a comparison. The first page says it
// by itself. Also says on an earlier run's page that there is a newer one.
"use strict";
{
  const NAMES = { approved: "Approved", rejected: "Rejected" };

  // The state of a picture (see docs/gallery.md): the last word where it is of these bytes, else whether they are the baseline.
  const verdict = (standing, sha256) => {
    if (!standing || !sha256) return null;
    if (standing.last?.sha256 === sha256) return standing.last.verdict;
    return standing.baseline?.sha256 === sha256 ? "approved" : null;
  };

  const show = (card, word) => {
    if (word) card.dataset.verdict = word;
    else delete card.dataset.verdict;
    let chip = card.querySelector("[data-verdict-chip]");
    if (!word) { chip?.remove(); return; }
    if (!chip) {
      chip = gallery.make("span", "state");
      chip.dataset.verdictChip = "";
      card.querySelector(".meta").insertBefore(chip, card.querySelector(".why"));
    }
    chip.textContent = NAMES[word];
  };

  const decisions = async (anew = false) => {
    const data = await gallery.load("data/decisions", anew);
    for (const card of gallery.cards()) show(card, verdict(data.targets[card.dataset.target], card.dataset.sha));
    gallery.tell("gallery:decided");
    return JSON.stringify(data);
  };

  // After the daemon took a decision: its file follows a moment later.
  const follow = async () => {
    const before = await gallery.load("data/decisions").then(JSON.stringify).catch(() => "");
    for (const pause of [0, 100, 300, 600, 1000, 2000]) {
      await new Promise((done) => { setTimeout(done, pause); });
      if (await decisions(true).catch(() => before) !== before) return;
    }
  };

  gallery.verdicts = { verdict, follow, NAMES };

  if (gallery.kind === "run") {
    decisions().catch(() => {}); // a copy without it: nothing was decided that we know of
    const notice = (newest) => { document.getElementById("notice").hidden = !newest || newest <= gallery.root.dataset.run; };
    gallery.load("data/runs").then(({ newest }) => notice(newest)).catch(() => {});
  }
}
