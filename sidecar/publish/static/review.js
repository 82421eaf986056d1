// Approve, reject, undo: there where the daemon answers, and nowhere else. Whole runs, groups, single targets.
"use strict";
{
  const { make, base } = gallery;
  let awake = false;

  const ask = async (path, body) => {
    const answer = await fetch(`${base}api/v1/${path}`, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), redirect: "error", signal: AbortSignal.timeout(30000),
    });
    const told = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(told.error?.message ?? `The daemon answered ${answer.status}.`);
    return told;
  };

  const note = document.getElementById("toast");
  let hiding = 0;
  const say = (words, act) => {
    note.replaceChildren(make("span", "", gallery.visible(words)));
    if (act) { const button = make("button", "button button--small", act.name); button.type = "button"; button.addEventListener("click", act.run); note.append(button); }
    // A modal dialog covers the page: what is said goes where it is seen.
    (document.querySelector("dialog[open]") ?? document.body).append(note);
    note.hidden = false;
    gallery.announce(words);
    clearTimeout(hiding);
    hiding = setTimeout(() => { note.hidden = true; }, 8000);
  };

  const pictures = (count) => (count === 1 ? "1 picture" : `${count} pictures`);

  const decide = async (verdict, what) => {
    try {
      const decided = await ask(verdict === "undo" ? "undo" : verdict, what);
      const words = verdict === "undo" ? `Taken back: ${pictures(decided.targets.length)}`
        : `${verdict === "approve" ? "Approved" : "Rejected"}: ${pictures(decided.targets.length)}`;
      const skipped = decided.skipped?.length ? `, ${decided.skipped.length} left as they were` : "";
      const newer = decided.newer ? ". There is a newer run" : "";
      say(decided.targets.length ? words + skipped + newer : `Nothing to decide${decided.skipped?.[0] ? `: ${decided.skipped[0].reason ?? decided.skipped[0][1]}` : ""}`,
        verdict !== "undo" && decided.batch && decided.targets.length ? { name: "Undo", run: () => decide("undo", { batch: decided.batch }) } : null);
      document.dispatchEvent(new CustomEvent("review:asked"));
    } catch (error) {
      say(error.message);
    }
  };

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-act]");
    const box = button?.closest("[data-decide]");
    if (!box) return;
    const { act } = button.dataset;
    const what = act === "undo" ? {} : { run: box.dataset.decide, ...(box.dataset.groupId ? { group: box.dataset.groupId } : {}), ...(box.dataset.targetId ? { targets: [box.dataset.targetId] } : {}) };
    button.disabled = true;
    await decide(act, what);
    button.disabled = false;
  });

  const wake = () => {
    if (!awake) return;
    for (const box of document.querySelectorAll("[data-decide]")) box.hidden = box.dataset.decide === "";
    for (const button of document.querySelectorAll("[data-need=pending]")) {
      const scope = button.closest("[data-group]") ?? document;
      const pending = [...scope.querySelectorAll("[data-card]")].some(gallery.pending);
      button.disabled = !pending;
    }
  };

  // The open viewer's own buttons follow the card.
  const own = document.querySelector("#viewer [data-decide]");
  const button = (act, icon, words) => { const one = make("button", "button button--small", words); one.type = "button"; one.dataset.act = act; return one; };
  const onCard = () => {
    const card = gallery.card(gallery.viewer.shown);
    const possible = card?.dataset.sha && ["changed", "new", "unchanged", "reused"].includes(card.dataset.status);
    own.dataset.decide = possible ? gallery.runOf(card) : "";
    own.dataset.targetId = card?.dataset.target ?? "";
    const verdict = card?.dataset.verdict;
    const words = { approved: "Approved", rejected: "Rejected" }[verdict];
    own.replaceChildren(...(words ? [make("span", `state state--${verdict}`, words)] : []), ...(verdict === "approved" ? [] : [button("approve", "check", "Approve")]), ...(verdict === "rejected" ? [] : [button("reject", "reject", "Reject")]));
    own.hidden = !awake || !possible;
  };
  document.addEventListener("viewer:shown", onCard);

  const undoable = async () => {
    const { undo } = await gallery.load("data/decisions", gallery.kind === "index"); // a run's page has just read it
    for (const one of document.querySelectorAll("[data-act=undo]")) {
      one.hidden = !undo;
      if (undo) one.title = `${undo.verdict === "approved" ? "Approved" : "Rejected"} by ${undo.who}: ${pictures(undo.targets)}`;
    }
  };

  const refresh = async () => {
    if (!awake) return;
    wake();
    if (gallery.viewer.shown) onCard();
    await undoable().catch(() => {});
  };
  document.addEventListener("gallery:patched", refresh);
  document.addEventListener("gallery:decided", refresh);
  // The first page is told by events; a run's own page asks.
  document.addEventListener("review:asked", () => { if (gallery.kind === "run") gallery.verdicts.follow(); });

  document.addEventListener("daemon:answers", () => { awake = true; refresh(); });
  if (gallery.kind === "run" && gallery.served) {
    fetch(`${base}api/v1/status`, { redirect: "error", headers: { Accept: "application/json" } }).then(async (answer) => {
      if (answer.ok && answer.headers.get("content-type")?.startsWith("application/json")) { await answer.json(); gallery.tell("daemon:answers"); }
    }).catch(() => {});
  }

  const act = (verdict, find) => () => {
    const card = find();
    if (card?.dataset.sha && "reviewed" in card.dataset) decide(verdict, { run: gallery.runOf(card), targets: [card.dataset.target] });
  };
  const open = () => gallery.card(gallery.viewer.shown);
  const focused = () => document.activeElement?.closest("[data-card]");
  const when = () => awake;
  gallery.keys(
    { keys: ["a"], does: "Approve", where: "Viewer", when, act: act("approve", open) },
    { keys: ["r"], does: "Reject", where: "Viewer", when, act: act("reject", open) },
    { keys: ["u"], does: "Undo the last decision", where: "Viewer", when, act: () => decide("undo", {}) },
    { keys: ["a"], does: "Approve the card", where: "Page", when, act: act("approve", focused) },
    { keys: ["r"], does: "Reject the card", where: "Page", when, act: act("reject", focused) },
    { keys: ["u"], does: "Undo the last decision", where: "Page", when, act: () => decide("undo", {}) },
  );
}
