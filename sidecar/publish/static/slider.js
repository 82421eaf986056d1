// Before and after: drag anywhere on the picture, or use the keyboard on the divider. Listens on the document, so that cards
// that come later need no set-up. The position is how many percent of the width show "before".
"use strict";
{
  const STEP = 2;
  const LEAP = 10;
  const REACH = 28; // pixels from the line that still grab it
  const THRESHOLD = 6; // pixels that a finger may tremble before it means to drag

  const clamp = (value) => Math.min(100, Math.max(0, value));
  const position = (frame) => parseFloat(frame.style.getPropertyValue("--pos")) || 0;

  const place = (frame, value, glide = false) => {
    const pos = clamp(value);
    frame.classList.toggle("is-gliding", glide);
    frame.classList.toggle("is-split", pos > 0 && pos < 100);
    frame.classList.toggle("is-before", pos === 100);
    frame.style.setProperty("--pos", `${pos}%`);
    const slider = frame.querySelector("[role=slider]");
    const shown = Math.round(pos);
    slider.setAttribute("aria-valuenow", String(shown));
    slider.setAttribute("aria-valuetext", shown === 0 ? "After only" : shown === 100 ? "Before only" : `${shown} % before`);
  };

  let drag = null;

  const follow = (event) => {
    const box = drag.frame.getBoundingClientRect();
    place(drag.frame, ((event.clientX - box.left) / box.width) * 100);
  };

  document.addEventListener("pointerdown", (event) => {
    const frame = event.target.closest("[data-compare]");
    if (!frame || event.button !== 0 || !event.isPrimary || event.target.closest("button, a")) return;
    if (frame.dataset.grab === "line") { // zoomed in: only near the line, since elsewhere one moves the picture
      const box = frame.getBoundingClientRect();
      if (Math.abs(event.clientX - box.left - (box.width * position(frame)) / 100) > REACH) return;
    }
    drag = { frame, id: event.pointerId, x: event.clientX, moving: event.pointerType === "mouse" };
    if (!drag.moving) return; // a finger may want to scroll: wait for what it does
    event.preventDefault();
    frame.querySelector("[role=slider]").focus({ preventScroll: true, focusVisible: false });
    frame.setPointerCapture(event.pointerId);
    frame.classList.add("is-dragging");
    follow(event);
  });

  document.addEventListener("pointermove", (event) => {
    if (!drag || event.pointerId !== drag.id) return;
    if (!drag.moving) {
      if (Math.abs(event.clientX - drag.x) < THRESHOLD) return;
      drag.moving = true;
      drag.frame.setPointerCapture(event.pointerId);
      drag.frame.classList.add("is-dragging");
    }
    follow(event);
  });

  const end = (event) => {
    if (!drag || event.pointerId !== drag.id) return;
    const { frame, moving } = drag;
    if (event.type === "pointerup" && !moving) follow(event); // a tap
    drag = null;
    frame.classList.remove("is-dragging");
  };
  document.addEventListener("pointerup", end);
  document.addEventListener("pointercancel", end);

  document.addEventListener("keydown", (event) => {
    const slider = event.target.closest?.("[data-compare] [role=slider]");
    if (!slider || event.altKey || event.ctrlKey || event.metaKey) return;
    const frame = slider.closest("[data-compare]");
    const step = event.shiftKey ? LEAP : STEP;
    const now = position(frame);
    const next = {
      ArrowRight: now + step, ArrowUp: now + step, ArrowLeft: now - step, ArrowDown: now - step,
      PageUp: now + LEAP, PageDown: now - LEAP, Home: 0, End: 100,
    }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    place(frame, next);
  });

  // For the other scripts: {detail: percent} on a frame puts its divider there.
  document.addEventListener("compare:place", (event) => place(event.target, event.detail, true));
}
