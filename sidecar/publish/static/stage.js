// The viewer's stage: draws one target's pictures in one of five ways. Every pane has layers, every layer a picture; all of
// them stand at the same place of the same picture, whatever the zoom (see zoom.js).
//
//   pair    both side by side            blink   both in one place, in turns
//   slider  both under a divider         diff    this run in grey, what differs on top
//   sizes   as small as Plex shows it, on light and on dark ground
//
// What is drawn (a "subject"): {now, ref, mask, none, boxes, ignored, stretched, name, refName}, where now and ref are {url, alt, width,
// height}. One without a mask is compared here (diff.js).
"use strict";
{
  const { make, zoom, still } = gallery;
  const PERIOD = 700; // ms that each picture stays in blink: under three flashes a second

  const stage = document.querySelector("[data-stage]");
  const state = { subject: null, mode: "pair", at: null, fitted: true, box: -1, spot: null, width: 250 };
  let blinking = 0;

  const picture = () => ({ width: state.subject.now.width, height: state.subject.now.height });

  const room = () => {
    const panes = Math.max(1, stage.querySelectorAll(".pane").length);
    const style = getComputedStyle(stage);
    const gap = parseFloat(style.columnGap) || 0;
    const side = parseFloat(style.paddingLeft) + parseFloat(style.paddingRight);
    const caption = stage.querySelector(".pane__name")?.offsetHeight ?? 0;
    return {
      width: Math.max(80, (stage.clientWidth - side - gap * (panes - 1)) / panes),
      height: Math.max(80, stage.clientHeight - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom) - caption),
    };
  };

  // ── Drawing ──────────────────────────────────────────────────────────────────────────────────────────

  const image = (shot, className) => {
    const element = new Image();
    element.className = `shot ${className}`;
    element.alt = shot.alt;
    element.draggable = false;
    element.decoding = "async";
    element.src = shot.url;
    return element;
  };

  const drawing = ({ canvas, alt }, className) => {
    canvas.className = `shot ${className}`;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", alt);
    return canvas;
  };

  const layer = (shot, name) => make("div", `layer layer--${name}`, (shot.canvas ? drawing : image)(shot, `shot--${name}`));

  const pane = (caption, ...content) => {
    const frame = make("div", "pane", ...content);
    return make("figure", "pane-box", frame, make("figcaption", "pane__name", caption));
  };

  const divider = (label) => {
    const line = make("div", "divider", make("span", "grip"));
    for (const [name, value] of Object.entries({ role: "slider", tabindex: "0", "aria-label": label, "aria-orientation": "horizontal", "aria-valuemin": "0", "aria-valuemax": "100", "aria-valuenow": "50" })) line.setAttribute(name, value);
    return line;
  };

  const marks = (boxes) => boxes.map((box, at) => { const mark = make("span", "mark"); mark.dataset.box = String(at); return mark; });

  const DRAW = {
    pair: ({ now, ref, name, refName }) => (ref ? [pane(refName, layer(ref, "only")), pane(name, layer(now, "only"))] : [pane(name, layer(now, "only"))]),
    slider: ({ now, ref, name, refName }) => {
      const box = pane(`${refName} left, ${name.toLowerCase()} right`, layer(now, "after"), layer(ref, "before"), divider(`${refName} and ${name.toLowerCase()}`));
      box.firstChild.dataset.compare = "";
      return [box];
    },
    blink: ({ now, ref, name }) => [pane(name, layer(now, "after"), layer(ref, "before"))],
    diff: ({ now, ref, mask, boxes, share, none }) => {
      if (mask || none || !ref || now.url === ref.url) {
        const box = pane(boxes.length ? share ?? "" : "No difference", layer(now, "grey"), ...(mask ? [layer(mask, "mask")] : []));
        box.firstChild.append(...marks(boxes));
        return [box];
      }
      const box = pane("Light where the pictures differ", layer(ref, "under"), layer(now, "difference")); // until it is known, or where it cannot be
      box.firstChild.classList.add("pane--difference");
      return [box];
    },
    sizes: ({ now, ref, name, refName }) => ["light", "dark"].map((ground) => {
      const pictures = [[now, name], ref && [ref, refName]].filter(Boolean).map(([shot, words]) => {
        const small = image(shot, "shot--sized");
        Object.assign(small.style, { width: `${state.width}px`, height: `${Math.round((state.width * picture().height) / picture().width)}px` });
        return make("figure", "sized", small, make("figcaption", "", words));
      });
      const box = make("div", `ground ground--${ground}`, ...pictures);
      box.tabIndex = 0;
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", `On ${ground} ground, ${state.width} pixels wide`);
      return box;
    }),
  };

  // Where an overlay was drawn, while the reader points at it.
  const spot = (left, top, scale) => {
    for (const frame of stage.querySelectorAll(".pane")) {
      let mark = frame.querySelector(".spot-mark");
      if (!state.spot) { mark?.remove(); continue; }
      if (!mark) { mark = make("span", "spot-mark"); frame.append(mark); }
      const [x, y, width, height] = state.spot;
      Object.assign(mark.style, { left: `${left + x * scale}px`, top: `${top + y * scale}px`, width: `${width * scale}px`, height: `${height * scale}px` });
    }
  };

  const place = () => {
    if (!state.subject || state.mode === "sizes") return;
    const whole = picture();
    const space = room();
    state.at = state.fitted || !state.at ? zoom.whole(whole, space) : zoom.held(state.at, whole, space);
    const { scale, x, y } = state.at;
    const seen = zoom.pane(whole, space, scale);
    // Whole pixels of the screen, or 1:1 would not be.
    const snap = (value) => Math.round(value * devicePixelRatio) / devicePixelRatio;
    const left = snap(seen.width / 2 - x * scale);
    const top = snap(seen.height / 2 - y * scale);
    for (const frame of stage.querySelectorAll(".pane")) {
      frame.style.width = `${seen.width}px`;
      frame.style.height = `${seen.height}px`;
      frame.classList.toggle("is-zoomed", !state.fitted);
      frame.classList.toggle("is-coarse", scale * devicePixelRatio >= 2);
      if (frame.dataset.compare !== undefined) frame.dataset.grab = state.fitted ? "all" : "line";
      for (const shot of frame.querySelectorAll(".shot")) {
        Object.assign(shot.style, { left: `${left}px`, top: `${top}px`, width: `${whole.width * scale}px`, height: `${whole.height * scale}px` });
      }
      for (const mark of frame.querySelectorAll(".mark")) {
        const [bx, by, width, height] = state.subject.boxes[Number(mark.dataset.box)];
        Object.assign(mark.style, { left: `${left + bx * scale - 3}px`, top: `${top + by * scale - 3}px`, width: `${width * scale + 6}px`, height: `${height * scale + 6}px` });
        mark.classList.toggle("is-here", Number(mark.dataset.box) === state.box);
      }
    }
    spot(left, top, scale);
    const count = state.subject.boxes.length;
    gallery.tell("stage:placed", { percent: Math.round(scale * devicePixelRatio * 100), fitted: state.fitted, box: state.box < count ? state.box : -1, count }, stage);
  };

  const measured = (shot, element) => {
    if (shot.width && shot.height) return;
    element.addEventListener("load", () => { Object.assign(shot, { width: element.naturalWidth, height: element.naturalHeight }); draw(); }, { once: true });
    Object.assign(shot, { width: 1000, height: 1500 });
  };

  // Nobody compared these two: it is done here, once it is looked at.
  const differ = async (subject) => {
    const { now, ref } = subject;
    if (state.mode !== "diff" || subject.mask || subject.none || subject.asked || !ref || ref.url === now.url) return;
    subject.asked = true;
    const found = await gallery.differ(now.url, ref.url, subject.ignored ?? [], subject.stretched);
    if (!found) return;
    Object.assign(subject, { mask: { canvas: found.mask, alt: "Where they differ" }, boxes: found.boxes, share: `${gallery.percent(found.fraction)} differ` });
    if (state.subject !== subject || state.mode !== "diff") return;
    draw();
    if (state.box < 0) focusBox(0);
    gallery.tell("stage:differs", found.boxes.length, stage);
  };

  const stopBlinking = () => { clearInterval(blinking); blinking = 0; };
  const turn = () => {
    const frame = stage.querySelector(".pane");
    if (!frame) return;
    const before = frame.classList.toggle("shows-before");
    const words = before ? state.subject.refName : state.subject.name;
    frame.parentElement.querySelector(".pane__name").textContent = words;
  };
  const blink = (on) => {
    stopBlinking();
    if (on) blinking = setInterval(turn, PERIOD);
    gallery.tell("stage:blinking", on, stage);
  };

  const draw = () => {
    stopBlinking();
    const { subject } = state;
    const pos = stage.querySelector("[data-compare]")?.style.getPropertyValue("--pos");
    const unknown = !subject.now.width;
    if (unknown) measured(subject.now, image(subject.now, ""));
    if (!subject.ref && (state.mode === "slider" || state.mode === "blink")) state.mode = "pair";
    stage.dataset.mode = state.mode;
    stage.replaceChildren(...DRAW[state.mode](subject));
    const frame = stage.querySelector("[data-compare]");
    if (frame) gallery.tell("compare:place", pos ? parseFloat(pos) : 50, frame);
    if (state.mode === "blink") blink(!still.matches);
    place();
    differ(subject);
  };

  // ── Moving ───────────────────────────────────────────────────────────────────────────────────────────

  const go = (at) => { state.fitted = at === null; state.at = at; place(); };
  const around = (factor, dx = 0, dy = 0) => {
    if (!state.subject || state.mode === "sizes") return;
    const at = zoom.around(state.at, factor, dx, dy, picture(), room());
    go(at.scale <= zoom.fit(picture(), room()) * 1.001 && factor < 1 ? null : at);
  };
  const focusBox = (index) => {
    const { boxes } = state.subject;
    if (!boxes.length) return;
    state.box = ((index % boxes.length) + boxes.length) % boxes.length;
    go(zoom.onto(boxes[state.box], picture(), room()));
  };

  const middle = (event, frame) => {
    const box = frame.getBoundingClientRect();
    return [event.clientX - box.left - box.width / 2, event.clientY - box.top - box.height / 2];
  };

  stage.addEventListener("wheel", (event) => {
    const frame = event.target.closest(".pane");
    if (!frame) return;
    event.preventDefault();
    around(Math.exp(-event.deltaY * (event.deltaMode === 1 ? 0.05 : 0.0016)), ...middle(event, frame));
  }, { passive: false });

  stage.addEventListener("dblclick", (event) => {
    const frame = event.target.closest(".pane");
    if (!frame || event.target.closest("[role=slider]")) return;
    if (!state.fitted) go(null);
    else around(1 / devicePixelRatio / state.at.scale, ...middle(event, frame));
  });

  // Fingers and the mouse: one drags, two zoom.
  const fingers = new Map();
  const spread = () => { const [a, b] = [...fingers.values()]; return { far: Math.hypot(a.x - b.x, a.y - b.y), clientX: (a.x + b.x) / 2, clientY: (a.y + b.y) / 2 }; };
  stage.addEventListener("pointerdown", (event) => {
    const frame = event.target.closest(".pane");
    if (!frame || event.button !== 0 || frame.classList.contains("is-dragging")) return;
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY, frame });
    if (!state.fitted || fingers.size > 1) frame.setPointerCapture(event.pointerId);
  });
  stage.addEventListener("pointermove", (event) => {
    const finger = fingers.get(event.pointerId);
    if (!finger || finger.frame.classList.contains("is-dragging")) return;
    const before = fingers.size === 2 ? spread() : null;
    const [dx, dy] = [event.clientX - finger.x, event.clientY - finger.y];
    Object.assign(finger, { x: event.clientX, y: event.clientY });
    if (before) {
      const after = spread();
      around(after.far / Math.max(1, before.far), ...middle(after, finger.frame));
    } else if (!state.fitted && fingers.size === 1) {
      go(zoom.moved(state.at, dx, dy, picture(), room()));
    }
  });
  for (const name of ["pointerup", "pointercancel"]) stage.addEventListener(name, (event) => fingers.delete(event.pointerId));

  new ResizeObserver(place).observe(stage);

  gallery.stage = {
    element: stage,
    get mode() { return state.mode; },
    get blinking() { return blinking !== 0; },
    get fitted() { return state.fitted; },
    get width() { return state.width; },
    // Another target begins fitted, in "diff" on its largest difference; the same one again (a new picture came) stays put. Another
    // reference is another difference.
    show(subject, mode, same = false) {
      const alike = same && state.subject?.ref?.url === subject.ref?.url;
      Object.assign(state, { subject, mode });
      if (!same) Object.assign(state, { at: null, fitted: true, spot: null });
      if (!alike) state.box = -1; // it differs elsewhere
      draw();
      if (!alike && state.mode === "diff") focusBox(0);
    },
    set(mode) {
      state.mode = mode;
      draw();
      if (mode === "diff" && state.box < 0) focusBox(0);
    },
    resize(width) { state.width = width; if (state.mode === "sizes") draw(); },
    fit: () => go(null),
    get real() { return !state.fitted && Math.abs(state.at.scale * devicePixelRatio - 1) < 0.001; },
    toReal: () => { if (state.mode !== "sizes" && state.at) go(zoom.held({ ...state.at, scale: 1 / devicePixelRatio }, picture(), room())); },
    zoomBy: (factor) => around(factor),
    pan: (dx, dy) => { if (!state.fitted) go(zoom.moved(state.at, dx, dy, picture(), room())); },
    next: (by) => focusBox(state.box < 0 && by < 0 ? -1 : state.box + by),
    point: (box) => { state.spot = box; place(); },
    blink,
    turn,
    clear() { stopBlinking(); fingers.clear(); state.subject = null; stage.replaceChildren(); },
  };
}
