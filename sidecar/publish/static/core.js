// What the page's scripts share. Classic scripts, each in a block of its own: browsers refuse modules from file://.
"use strict";
const gallery = (() => {
  const root = document.documentElement;
  const make = (tag, className = "", ...content) => {
    const element = document.createElement(tag);
    if (className) element.className = className;
    element.append(...content);
    return element;
  };
  // Texts come from anywhere (titles, paths, messages). textContent keeps them text; this makes seen what is not, or what reorders
  // what is: control and format characters. The pages' own text went through the same in Python.
  const SPECIAL = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u2028\u2029\u2060\ufeff\u202a-\u202e\u2066-\u206f\ufff9-\ufffb\u{e0000}-\u{e007f}\ud800-\udfff]/gu;
  const name = (sign) => {
    const code = sign.codePointAt(0);
    if (code < 0x20) return String.fromCodePoint(0x2400 + code);
    return code === 0x7f ? "\u2421" : `[U+${code.toString(16).toUpperCase().padStart(4, "0")}]`;
  };
  const PLAIN = /^[\t\n\x20-\x7e]*$/;
  const visible = (text) => PLAIN.test(text) ? String(text) : String(text).replaceAll("\r\n", "\n").replace(SPECIAL, name);
  // Storage may be closed to us (private windows, file://): then a choice holds for this page only.
  const recall = (key) => { try { return localStorage.getItem(`kometa-sidecar.${key}`); } catch { return null; } };
  const remember = (key, value) => { try { localStorage.setItem(`kometa-sidecar.${key}`, value); } catch { /* see above */ } };
  // The address says what is shown, so that it can be kept and sent. Not every browser allows it from file://.
  const address = (search) => { try { history.replaceState(null, "", search); } catch { /* then it stays as it was */ } };
  const percent = (fraction) => {
    const share = fraction * 100;
    if (share <= 0) return "0 %";
    if (share < 0.01) return "< 0.01 %";
    if (share < 1) return `${share.toFixed(2)} %`;
    return share < 99.95 ? `${share.toFixed(1)} %` : "100 %";
  };
  return {
    root,
    percent,
    address,
    base: root.dataset.base,
    kind: root.dataset.kind,
    served: location.protocol.startsWith("http"),
    still: matchMedia("(prefers-reduced-motion: reduce)"),
    make,
    visible,
    recall,
    remember,
    tell: (what, detail, on = document) => on.dispatchEvent(new CustomEvent(what, { bubbles: true, detail })),
    announce: (words) => { document.getElementById("announce").textContent = words; },
    cards: () => [...document.querySelectorAll("[data-card]")],
    card: (target) => document.getElementById(`t-${target}`),
    // Cards say it where they are of another run than the page.
    runOf: (card) => card.dataset.run ?? root.dataset.run,
    // Compared, different or new, and nobody has said anything of it.
    pending: ({ dataset }) => "reviewed" in dataset && (dataset.status === "changed" || dataset.status === "new") && !dataset.verdict,
    // "x,y,w,h;x,y,w,h" -> [[x, y, w, h], ...]
    boxes: (text) => (text ? text.split(";").map((box) => box.split(",").map(Number)).filter((box) => box.length === 4 && box.every(Number.isFinite)) : []),
  };
})();
