// The gallery's data files, read by script: browsers refuse fetch() from file://, and a plain file server needs nothing else.
"use strict";
const kometaSidecar = (() => {
  const waiting = new Map(); // name -> what a file that is being loaded will be given to
  const known = new Map(); // name -> promise of its data

  // In place: a run's data has tens of thousands of texts, and most are plain.
  const visible = (value) => {
    if (typeof value === "string") return gallery.visible(value);
    if (!value || typeof value !== "object") return value;
    for (const [key, one] of Object.entries(value)) {
      const shown = Array.isArray(value) ? key : gallery.visible(key);
      if (shown !== key) delete value[key];
      value[shown] = visible(one);
    }
    return value;
  };

  const read = (name) => new Promise((done, fail) => {
    const script = document.createElement("script");
    // Its own end only: when its load event comes, the next read of the same name may have begun.
    const end = (act) => { if (waiting.get(name) !== take) return; waiting.delete(name); script.remove(); act(); };
    const take = (data) => end(() => done(data));
    waiting.set(name, take);
    script.addEventListener("error", () => end(() => fail(new Error(`${name}.js cannot be read`))));
    script.addEventListener("load", () => end(() => fail(new Error(`${name}.js holds something else`))));
    script.src = `${gallery.base}${name}.js`;
    document.head.append(script);
  });

  // `load("data/runs")` -> promise of what stands in data/runs.js; read once, unless `anew`.
  gallery.load = (name, anew = false) => {
    if (anew || !known.has(name)) {
      const before = known.get(name) ?? Promise.resolve();
      const data = before.catch(() => {}).then(() => read(name));
      data.catch(() => { if (known.get(name) === data) known.delete(name); });
      known.set(name, data);
    }
    return known.get(name);
  };

  return (name, data) => waiting.get(String(name))?.(visible(data));
})();
